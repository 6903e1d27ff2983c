import { formatAddress } from "../core/address.ts";
import type { MemoryReadError } from "../memory/physical_memory.ts";
import { formatDeviceId } from "./device_id.ts";
import type { IommuDevice, IommuDevices } from "./iommu_device.ts";

/** No machine has so many; tables full of junk are not to fill the memory. */
const MAX_DEVICES = 4096;
/** How many problems are told one by one. */
const MAX_PROBLEMS = 32;

/** Gathers what an IOMMU's tables say of devices. */
export class DeviceList {
  readonly #devices: IommuDevice[] = [];
  readonly #problems: string[] = [];
  #moreProblems = 0;
  #isFull = false;

  /** Adds a device; false once there are too many to go on. */
  add(requesterId: number, what: Omit<IommuDevice, "device" | "requesterId">): boolean {
    if (this.#devices.length >= MAX_DEVICES) {
      this.#isFull = true;
      return false;
    }
    this.#devices.push({ device: formatDeviceId(requesterId), requesterId, ...what });
    return true;
  }

  /** Adds what could not be read or makes no sense. */
  problem(text: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(text);
    else this.#moreProblems++;
  }

  /** The same for a table that could not be read. */
  unread(what: string, table: bigint, { failure }: MemoryReadError): void {
    const why = failure === "outsideRam" ? "lies outside RAM" : "could not be read";
    this.problem(`the ${what} at ${formatAddress(table)} ${why}`);
  }

  /** All of it. */
  get result(): IommuDevices {
    const problems = [...this.#problems];
    if (this.#moreProblems > 0) problems.push(`and ${this.#moreProblems} more of this kind`);
    if (this.#isFull) {
      problems.push(`more than ${MAX_DEVICES} devices have entries: the rest is left out`);
    }
    const devices = this.#devices.toSorted((a, b) => a.requesterId - b.requesterId);
    return { devices, problems };
  }
}
