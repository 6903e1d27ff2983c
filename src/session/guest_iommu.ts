import { InvalidArgumentError } from "../core/errors.ts";
import { formatDeviceId, parseDeviceId } from "../iommu/device_id.ts";
import { DeviceNotTranslatedError, NoIommuError } from "../iommu/errors.ts";
import type { IommuDevice } from "../iommu/iommu_device.ts";
import { type IommuKind, readIommuDevices } from "../iommu/read_devices.ts";
import { readIommuUnits } from "../linux/iommu_units.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import { readU32 } from "../linux/reader.ts";
import { readVirtioIommu } from "../linux/virtio_iommu.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { readIommuRoots } from "../monitor/commands/read_iommu_root.ts";
import { UnknownCommandError } from "../monitor/errors.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { NotRecordedError } from "../monitor/recording/errors.ts";
import { parsePciDevices } from "../monitor/commands/pci_devices.ts";
import type { Regime } from "../translate/regime.ts";
import { isUnknown } from "./_unknown.ts";
import type { PageTable } from "./table_choice.ts";
import { virtioDevices } from "./virtio_devices.ts";

/** What a guest's IOMMUs are found with. */
export interface GuestIommuInit {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The monitor, where there is one. */
  readonly monitor?: Monitor;
  /** Whether the one register that points to an IOMMU's tables may be read. */
  readonly mmio: boolean;
  /** The Linux that the guest runs. */
  linux(): Promise<LinuxGuest>;
}

/** An IOMMU of the guest. */
export interface IommuUnit {
  /** Which kind. */
  readonly kind: IommuKind | "virtio";
  /** The guest-physical address of its registers; null of a virtio IOMMU, which has none of its own. */
  readonly registers: bigint | null;
  /** The value of the register that points to its first table; 0 if it was not set up, or there is none. */
  readonly root: bigint;
  /** Whether it translates any device's DMA; null if that is not known. */
  readonly translates: boolean | null;
  /** Where the value comes from: the register itself, or Linux's records. */
  readonly source: "register" | "linux";
}

/** A device, and which IOMMU is in front of it. */
export interface GuestDevice extends IommuDevice {
  /** The IOMMU. */
  readonly unit: IommuUnit;
  /** What QEMU says that it is; empty if it does not say. */
  readonly name: string;
}

/** The devices of a guest, as its IOMMUs have them. */
export interface GuestDevices {
  /** The IOMMUs. */
  readonly units: readonly IommuUnit[];
  /** The devices, by IOMMU and number. */
  readonly devices: readonly GuestDevice[];
  /** What could not be read or does not make sense: what hangs on it is not known. */
  readonly problems: readonly string[];
}

/**
 * A guest's IOMMUs: which device is translated by which tables. `Session.iommu` makes it.
 *
 * @example Usage
 * ```ts
 * import { connect, NoIommuError } from "@pagewalk/pagewalk";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const iommu = await guest.iommu();
 * await assertRejects(() => iommu.devices(), NoIommuError); // it has none
 * ```
 */
export class GuestIommu {
  readonly #parts: GuestIommuInit;

  /** Prepares; nothing is read yet. */
  constructor(parts: GuestIommuInit) {
    this.#parts = parts;
  }

  /**
   * Finds the guest's IOMMUs: by their registers, where there is a monitor and it may read them, else by
   * Linux's records.
   *
   * @throws {NoIommuError} if the guest has none
   * @throws {LinuxNotFoundError} if only Linux could tell, and the guest runs none
   */
  async units(options: ReadOptions = {}): Promise<IommuUnit[]> {
    const { monitor, mmio } = this.#parts;
    if (monitor !== undefined && mmio) {
      const roots = await readIommuRoots(monitor, options);
      if (roots.length === 0) {
        if (await this.#hasVirtio(options)) return [VIRTIO_UNIT];
        throw new NoIommuError(
          "QEMU shows no IOMMU for this guest (intel-iommu, amd-iommu, virtio-iommu-pci): " +
            "its devices reach all of its memory",
        );
      }
      return roots.map(({ kind, registers, root, translates }) => ({
        ...{ kind, registers, root, translates, source: "register" },
      }));
    }
    const { memory } = this.#parts;
    const linux = await this.#parts.linux();
    const units = await readIommuUnits({ memory, linux }, options);
    if (units.length > 0) return units.map((unit) => ({ ...unit, source: "linux" }));
    if ((await readVirtioIommu(linux, options)).length > 0) return [VIRTIO_UNIT];
    throw new NoIommuError(
      "The guest's Linux has set up no IOMMU of VT-d, AMD-Vi or virtio: its devices reach all of its memory",
    );
  }

  /** Lists the devices of all IOMMUs, and what becomes of their DMA. */
  async devices(options: ReadOptions = {}): Promise<GuestDevices> {
    const units = await this.units(options);
    const machines = await this.#machineDevices(options);
    const devices: GuestDevice[] = [];
    const problems: string[] = [];
    for (const unit of units) {
      const found = await this.#behind(unit, options);
      problems.push(...found.problems);
      // AMD-Vi's table has an entry for every number, valid or not, whether there is such a device or not.
      const isThere = ({ requesterId, domain, state }: IommuDevice) =>
        machines.size === 0 || machines.has(requesterId) || domain !== null ||
        state !== "passThrough";
      devices.push(
        ...found.devices.filter(isThere).map((device) => ({
          ...{ ...device, unit, name: nameOf(device.requesterId, machines) },
        })),
      );
    }
    devices.push(...withoutEntry(machines, devices, units, problems));
    return { units, devices, problems };
  }

  /**
   * Finds one device, such as `00:03.0`.
   *
   * @throws {InvalidArgumentError} if it is none, or no IOMMU knows it
   */
  async device(wanted: string, options: ReadOptions = {}): Promise<GuestDevice> {
    const requesterId = parseDeviceId(wanted);
    const { devices, problems } = await this.devices(options);
    const found = devices.find((device) => device.requesterId === requesterId);
    if (found !== undefined) return found;
    const known = devices.slice(0, 16).map(({ device }) => device).join(", ");
    const unread = problems.length > 0 ? `; but ${problems[0]}` : "";
    throw new InvalidArgumentError(
      `No IOMMU has an entry for ${formatDeviceId(requesterId)}; there are ${
        known || "none"
      }${unread}`,
      wanted,
    );
  }

  /**
   * The tables of one device.
   *
   * @throws {DeviceNotTranslatedError} if its DMA is passed through, blocked, or not known
   */
  async regimeOf(wanted: string, options: ReadOptions = {}): Promise<Regime> {
    return (await this.tableOf(wanted, options)).context;
  }

  /** The same with whose they are, as `Session.pageTable` says it. */
  async tableOf(wanted: string, options: ReadOptions = {}): Promise<PageTable> {
    const found = await this.device(wanted, options);
    const { device, domain, state, reason, regime } = found;
    if (regime !== undefined) {
      return { context: regime, source: { kind: "device", device, domain } };
    }
    const what = {
      passThrough:
        "its DMA is passed through: it reaches all memory, and IOVAs are physical addresses",
      blocked: "its DMA is blocked",
      unknown: "the state of its DMA is not known",
      translated: "its tables are not known",
    }[state];
    const why = reason === undefined ? "" : ` (${reason})`;
    throw new DeviceNotTranslatedError(`${device} has no tables to read: ${what}${why}`, device);
  }

  /**
   * Whether devices' interrupts are remapped, by the records of the guest's Linux (`irq_remapping_enabled`); null
   * if it does not tell, or another system runs. The remapping table itself is not read.
   */
  async interruptsRemapped(options: ReadOptions = {}): Promise<boolean | null> {
    try {
      const linux = await this.#parts.linux();
      const symbol = await linux.symbol("irq_remapping_enabled");
      return symbol === null ? null : await readU32(linux, symbol.address, options) !== 0;
    } catch (error) {
      if (isUnknown(error)) return null;
      throw error;
    }
  }

  async #behind(
    unit: IommuUnit,
    options: ReadOptions,
  ): Promise<{ devices: readonly IommuDevice[]; problems: readonly string[] }> {
    if (unit.kind === "virtio") return await virtioDevices(await this.#parts.linux(), options);
    const off = "its IOMMU does not translate yet";
    if (unit.root === 0n) {
      return { devices: [], problems: [`${off}: devices reach all of memory`] };
    }
    const found = await readIommuDevices(unit.kind, this.#parts.memory, unit.root, options);
    if (unit.translates !== false) return found;
    const devices = found.devices.map(({ regime: _, ...device }) => ({
      ...{ ...device, state: "passThrough" as const, reason: "translation is off" },
    }));
    const translated = found.devices.some(({ state }) => state === "translated");
    return translated ? { ...found, devices } : found;
  }

  /** Whether QEMU has a virtio IOMMU: a PCI device of that number. */
  async #hasVirtio(options: ReadOptions): Promise<boolean> {
    const machines = await this.#machineDevices(options);
    return [...machines.values()].some((name) => VIRTIO_IOMMU.test(name));
  }

  /** What devices the machine has, by number; none where nobody tells. */
  async #machineDevices(options: ReadOptions): Promise<ReadonlyMap<number, string>> {
    const { monitor } = this.#parts;
    if (monitor === undefined) return new Map();
    try {
      const devices = parsePciDevices(await monitor.command("info pci", options));
      return new Map(devices.map(({ requesterId, name }) => [requesterId, name]));
    } catch (error) {
      // It only adds names, and devices that have no entry.
      if (error instanceof UnknownCommandError || error instanceof NotRecordedError) {
        return new Map();
      }
      throw error;
    }
  }
}

/** virtio's vendor, and 0x1040 + 23 (Virtual I/O Device specification 1.2, 4.1.2 and 5.13). */
const VIRTIO_IOMMU = /\b1af4:1057$/;

const VIRTIO_UNIT: IommuUnit = {
  ...{ kind: "virtio", registers: null, root: 0n, translates: true, source: "linux" },
};

/**
 * A bridge from PCI Express to PCI sends its devices' requests as function 0 of device 0 of the bus behind it (PCI
 * Express to PCI/PCI-X Bridge Specification 1.0, 2.3).
 */
function nameOf(requesterId: number, machines: ReadonlyMap<number, string>): string {
  const name = machines.get(requesterId);
  if (name !== undefined) return name;
  const isAlias = machines.size > 0 && requesterId > 0xff && (requesterId & 0xff) === 0;
  return isAlias ? "no device: a bridge's alias for the devices behind it" : "";
}

/** Devices that the machine has and the only IOMMU knows nothing of: it lets none of their DMA through. */
function withoutEntry(
  machines: ReadonlyMap<number, string>,
  known: readonly GuestDevice[],
  units: readonly IommuUnit[],
  problems: readonly string[],
): GuestDevice[] {
  const [unit, ...others] = units;
  // Which devices a virtio IOMMU is in front of, only its ACPI table (VIOT) says, which Linux reads.
  if (unit?.kind === "virtio") return [];
  if (unit === undefined || others.length > 0 || unit.root === 0n || problems.length > 0) return [];
  if (unit.translates === false) return [];
  const ids = new Set(known.map(({ requesterId }) => requesterId));
  return [...machines].filter(([requesterId]) => !ids.has(requesterId)).map(
    ([requesterId, name]) => ({
      device: formatDeviceId(requesterId),
      requesterId,
      state: "blocked",
      domain: null,
      reason: unit.kind === "amdvi"
        ? "its entry lets nothing through"
        : "its IOMMU has no entry for it",
      unit,
      name,
    }),
  );
}
