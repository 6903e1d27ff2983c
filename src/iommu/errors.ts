import { PagewalkError } from "../core/errors.ts";

/** The guest has no IOMMU whose tables can be found. */
export class NoIommuError extends PagewalkError {}

/** The IOMMU's tables knew nothing of a device that was asked for, or do not translate its DMA. */
export class DeviceNotTranslatedError extends PagewalkError {
  /** The device, such as `00:03.0`. */
  readonly device: string;

  /** Creates the error for one device. */
  constructor(message: string, device: string) {
    super(message);
    this.device = device;
  }
}
