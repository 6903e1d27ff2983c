import { formatAddress } from "../../core/address.ts";
import { ReplyParseError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { parseMemoryDump } from "./examine_memory.ts";

/** An IOMMU as QEMU's memory tree shows it. */
export interface IommuRegion {
  /** Which kind: Intel's VT-d or AMD's AMD-Vi. */
  readonly kind: "vtd" | "amdvi";
  /** The guest-physical address of its registers. */
  readonly registers: bigint;
  /**
   * Whether QEMU translates any device's DMA now; null if it does not tell. Devices that pass through count
   * as not translated.
   */
  readonly translates: boolean | null;
}

/**
 * QEMU's names of the regions of an IOMMU's registers, and their lengths (hw/i386/intel_iommu.c and
 * amd_iommu.c, 7.2 to 11.1). What has another name or length is not one.
 */
const REGIONS: Readonly<Record<string, { kind: IommuRegion["kind"]; lengthBytes: bigint }>> = {
  "intel_iommu": { kind: "vtd", lengthBytes: 0x230n },
  "amdvi-mmio": { kind: "amdvi", lengthBytes: 0x4000n },
};

const SYSTEM = /^ AS "memory",/m;
const ROW =
  /^ {2}([0-9a-f]{8,16})-([0-9a-f]{8,16}) \(prio -?\d+, i\/o\): ([^@\n]+?)(?: @([0-9a-f]+))?$/;
const DEVICE_VIEW = /^ AS "vtd-root",/m;
const TRANSLATED_VIEW = /^ Root memory region: vtd-.*-dmar$/m;

/** No machine has more: bounds the reads that a hostile reply causes. */
const MAX_UNITS = 64;

/**
 * Finds the IOMMUs in `info mtree -f`: in the flat view of the address space `memory`, the regions of their
 * registers. A page of registers counts only if all of it is there, at a multiple of 4 KiB.
 *
 * @throws {ReplyParseError} if there are more than any machine has
 */
export function parseIommuUnits(reply: string): IommuRegion[] {
  const views = reply.split(/^(?=FlatView #)/m);
  const system = views.find((view) => SYSTEM.test(view));
  const deviceViews = views.filter((view) => DEVICE_VIEW.test(view));
  const translates = deviceViews.length === 0
    ? null
    : deviceViews.some((view) => TRANSLATED_VIEW.test(view));
  const units = (system ?? "").split("\n").flatMap((line): IommuRegion[] => {
    const [, first, last, name, offset = "0"] = ROW.exec(line) ?? [];
    const known = name === undefined || !Object.hasOwn(REGIONS, name) ? undefined : REGIONS[name];
    if (known === undefined || BigInt(`0x${offset}`) !== 0n) return [];
    const registers = BigInt(`0x${first}`);
    const lengthBytes = BigInt(`0x${last}`) + 1n - registers;
    if (lengthBytes !== known.lengthBytes || registers & 0xfffn) return [];
    return [{ kind: known.kind, registers, translates: known.kind === "vtd" ? translates : null }];
  });
  // Some of them alone would be an answer that leaves out what the others reach.
  if (units.length > MAX_UNITS) {
    throw new ReplyParseError(
      "info mtree -f",
      `${units.length} of them`,
      `${MAX_UNITS} IOMMUs at most`,
    );
  }
  return units;
}

/** An IOMMU, and what its register says of its first table. */
export interface IommuRoot extends IommuRegion {
  /** The register's name. */
  readonly register: "RTADDR" | "DEVTAB_BASE";
  /** The register's value: the table's address, and the bits beside it. */
  readonly root: bigint;
}

/**
 * The register of each kind of IOMMU that points to its first table. **These are the only device memory that
 * pagewalk ever reads**, and each in one way, two aligned 32-bit reads: reading other registers can change a
 * device, these two do not change (Intel VT-d specification, 11.4.5; AMD IOMMU specification, 3.4.1; in QEMU
 * `vtd_mem_read` and `amdvi_mmio_read` copy them, 7.2 to 11.1, where wider reads meet an assertion).
 */
const ROOT_REGISTERS: Readonly<
  Record<IommuRegion["kind"], { name: IommuRoot["register"]; offset: bigint }>
> = {
  vtd: { name: "RTADDR", offset: 0x20n },
  amdvi: { name: "DEVTAB_BASE", offset: 0n },
};

/**
 * Reads where the tables of the guest's IOMMUs begin. Nobody can choose what is read: where the registers
 * are comes from QEMU's own memory tree, asked in the same breath, and which one from a table.
 *
 * @throws {MonitorError} if a command fails
 * @throws {ReplyParseError} if QEMU cannot read the register
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { readIommuRoots } from "@pagewalk/pagewalk/devices";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals(await readIommuRoots(guest.monitor), []); // it has no IOMMU
 * ```
 */
export async function readIommuRoots(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<IommuRoot[]> {
  const roots: IommuRoot[] = [];
  for (const unit of parseIommuUnits(await monitor.command("info mtree -f", options))) {
    const { name, offset } = ROOT_REGISTERS[unit.kind];
    const address = unit.registers + offset;
    const reply = await monitor.command(`xp /2wx ${formatAddress(address)}`, options);
    const { bytes } = parseMemoryDump(reply, { address, count: 2, sizeBytes: 4 });
    if (bytes.length !== 8) throw new ReplyParseError("xp", reply, `the register ${name}`);
    const root = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    roots.push({ ...unit, register: name, root });
  }
  return roots;
}
