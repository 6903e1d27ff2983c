import { formatAddress } from "../../core/address.ts";
import { ReplyParseError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { type IommuRegion, parseIommuUnits } from "../parse/iommu_units.ts";
import { parseMemoryDump } from "../parse/memory_dump.ts";

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
 * import { connect, readIommuRoots } from "@pagewalk/pagewalk";
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
