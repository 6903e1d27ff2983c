import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { AddressSpace } from "../translate/address_space.ts";
import { CapabilityError, KernelFormatError } from "./errors.ts";
import type { LinuxGuest } from "./linux_guest.ts";
import { readU32, readU64, viewOf } from "./reader.ts";
import { StructReader, type StructView } from "./struct_reader.ts";

/** An IOMMU as Linux has set it up. */
export interface LinuxIommuUnit {
  /** Which kind: Intel's VT-d or AMD's AMD-Vi. */
  readonly kind: "vtd" | "amdvi";
  /** The guest-physical address of its registers. */
  readonly registers: bigint;
  /** What Linux has written to the register of the first table; 0 before it has. */
  readonly root: bigint;
  /** Whether Linux has turned translation on. */
  readonly translates: boolean;
}

/** What is asked of a guest: a session has it. */
export interface IommuRecords {
  /** Its kernel. */
  readonly linux: Pick<LinuxGuest, "type" | "symbol" | "read" | "context">;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
}

/** No machine has so many; a list in a circle ends. */
const MAX_UNITS = 1024;

// VT-d: GCMD.TE as Linux keeps it, ECAP.SMTS (Intel VT-d specification, 11.4.3 and 11.4.4).
const TRANSLATION_ENABLE = 1 << 31;
const SCALABLE_MODE_BIT = 43n;
const SCALABLE_ROOT = 1n << 10n;

/**
 * Reads from Linux's own records where the tables of the IOMMUs begin: for dumps and other memory that no
 * register can be read with.
 *
 * @throws {CapabilityError} if the kernel has no type data, or its drivers are laid out in another way
 */
export async function readIommuUnits(
  kernel: IommuRecords,
  options: ReadOptions = {},
): Promise<LinuxIommuUnit[]> {
  return [...await vtdUnits(kernel, options), ...await amdUnits(kernel, options)];
}

/** `dmar_drhd_units` (drivers/iommu/intel/dmar.c): each unit's `intel_iommu`. */
async function vtdUnits(kernel: IommuRecords, options: ReadOptions): Promise<LinuxIommuUnit[]> {
  const head = await addressOf(kernel, "dmar_drhd_units");
  if (head === null) return [];
  const drhds = await structReader(kernel, "dmar_drhd_unit", { list: 16, iommu: 8 });
  const members = { reg_phys: 8, ecap: 8, gcmd: 4, root_entry: 8 };
  const iommus = await structReader(kernel, "intel_iommu", members);
  const scalable = await addressOf(kernel, "intel_iommu_sm");
  const wantsScalable = scalable !== null && await readU32(kernel.linux, scalable, options) !== 0;
  const units: LinuxIommuUnit[] = [];
  for await (const drhd of listed(kernel, drhds, head, options)) {
    const iommu = drhd.u64("iommu");
    if (iommu === 0n) continue;
    const view = await iommus.read(kernel.linux, iommu, options);
    const table = await tableOf(kernel, view.u64("root_entry"));
    const isScalable = wantsScalable && (view.u64("ecap") >> SCALABLE_MODE_BIT & 1n) === 1n;
    units.push({
      kind: "vtd",
      registers: view.u64("reg_phys"),
      root: table === 0n ? 0n : table | (isScalable ? SCALABLE_ROOT : 0n),
      translates: (view.u32("gcmd") & TRANSLATION_ENABLE) !== 0,
    });
  }
  return units;
}

/** `amd_iommu_list` (drivers/iommu/amd/init.c): each unit's segment has the device table. */
async function amdUnits(kernel: IommuRecords, options: ReadOptions): Promise<LinuxIommuUnit[]> {
  const head = await addressOf(kernel, "amd_iommu_list");
  if (head === null || await readU64(kernel.linux, head, options) === head) return [];
  const iommus = await structReader(kernel, "amd_iommu", { list: 16, mmio_phys: 8, pci_seg: 8 });
  const members = { dev_table: 8, dev_table_size: 4 };
  const segments = await structReader(kernel, "amd_iommu_pci_seg", members);
  const units: LinuxIommuUnit[] = [];
  for await (const iommu of listed(kernel, iommus, head, options)) {
    const segment = await segments.read(kernel.linux, iommu.u64("pci_seg"), options);
    const table = await tableOf(kernel, segment.u64("dev_table"));
    const pages = BigInt(Math.max(1, Math.ceil(segment.u32("dev_table_size") / 4096)));
    const root = table === 0n ? 0n : table | (pages - 1n & 0x1ffn);
    const translates = table !== 0n;
    units.push({ kind: "amdvi", registers: iommu.u64("mmio_phys"), root, translates });
  }
  return units;
}

async function addressOf({ linux }: IommuRecords, name: string): Promise<bigint | null> {
  return (await linux.symbol(name))?.address ?? null;
}

async function structReader<M extends string>(
  kernel: IommuRecords,
  struct: string,
  members: Readonly<Record<M, number>>,
): Promise<StructReader<M>> {
  const layout = await kernel.linux.type(struct);
  const found = new Map(
    layout?.members.map(({ name, offset }) => [`${struct}.${name}`, offset] as const),
  );
  if (found.size === 0) {
    throw new CapabilityError(
      "types",
      `The layout of this kernel's IOMMU list is not known: its types have no struct ${struct}`,
    );
  }
  return new StructReader(struct, members, found);
}

/** The structures of a list, by its head. */
async function* listed<M extends string>(
  kernel: IommuRecords,
  structs: StructReader<M | "list">,
  head: bigint,
  options: ReadOptions,
): AsyncGenerator<StructView<M | "list">> {
  let at = await readU64(kernel.linux, head, options);
  for (let count = 0; at !== head; count++) {
    if (count === MAX_UNITS) throw new KernelFormatError("list of IOMMUs", "it does not end", at);
    const view = await structs.read(kernel.linux, at - structs.offset("list"), options);
    yield view;
    at = viewOf(view.bytes("list")).getBigUint64(0, true);
  }
}

/** The physical address of a table that the kernel has a pointer to; 0 if it has none. */
async function tableOf(kernel: IommuRecords, pointer: bigint): Promise<bigint> {
  if (pointer === 0n) return 0n;
  const space = new AddressSpace(kernel.memory, kernel.linux.context);
  const physical = await space.translate(pointer);
  if (physical === null) {
    throw new KernelFormatError("list of IOMMUs", "its pointer to a table is invalid", pointer);
  }
  return physical;
}
