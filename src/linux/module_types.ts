import type { ReadOptions } from "../memory/physical_memory.ts";
import { BtfBlob, decodeBtfHeader } from "./btf/btf_source.ts";
import { KernelFormatError } from "./errors.ts";
import { type Reader, readU64, viewOf } from "./reader.ts";
import { structOffsets } from "./struct_offsets.ts";
import { StructReader } from "./struct_reader.ts";

/** Where a kernel keeps the types of its modules. */
export interface ModuleTypesSource {
  /** Reads the running kernel's memory. */
  readonly reader: Reader;
  /** The kernel's own types, on which those of modules build. */
  readonly core: BtfBlob;
  /** The address of the kernel's own `struct btf`, which `btf_vmlinux` points to. */
  readonly coreBtf: bigint;
  /** The address of `btf_modules`, the list of all modules with type data. */
  readonly list: bigint;
}

const STRUCTURE = "type data of a module";
/** BTF_MAX_SIZE (include/linux/btf.h of 7.0; kernel/bpf/btf.c before). */
const MAX_BTF_BYTES = 16 * 1024 * 1024;
const HEADER_BYTES = 24;
/** A distribution builds some 4000 modules, and few hundred are loaded at a time. */
const MAX_MODULES = 1 << 14;

const ENTRY_MEMBERS = { list: 16, module: 8, btf: 8 } as const;
const BTF_MEMBERS = { data: 8, base_btf: 8, start_id: 4, start_str_off: 4 } as const;

/**
 * Reads the types of a loaded module; null if it has no type data.
 *
 * @throws {KernelFormatError} if what is found is not type data that builds on the kernel's
 */
export async function readModuleTypes(
  source: ModuleTypesSource,
  module: bigint,
  options: ReadOptions = {},
): Promise<BtfBlob | null> {
  const { core, coreBtf, reader } = source;
  const btf = await findModuleBtf(source, module, options);
  if (btf === null) return null;
  const view = await (await readerOf(core, "btf", BTF_MEMBERS)).read(reader, btf, options);
  if (
    view.u64("base_btf") !== coreBtf || view.u32("start_id") !== core.count ||
    view.u32("start_str_off") !== core.stringsEnd
  ) {
    throw new KernelFormatError(STRUCTURE, "it does not continue the kernel's", btf);
  }
  const data = view.u64("data");
  const header = decodeBtfHeader(await reader.read(data, HEADER_BYTES, options));
  const lengthBytes = Math.max(
    header.typesAt + header.typesBytes,
    header.stringsAt + header.stringsBytes,
  );
  if (lengthBytes > MAX_BTF_BYTES) {
    throw new KernelFormatError(STRUCTURE, "it is longer than 16 MiB", data);
  }
  return new BtfBlob(await reader.read(data, lengthBytes, options), core);
}

/** Follows the list of the modules with type data to one of them: its `struct btf`. */
async function findModuleBtf(
  { core, list, reader }: ModuleTypesSource,
  module: bigint,
  options: ReadOptions,
): Promise<bigint | null> {
  const entries = await readerOf(core, "btf_module", ENTRY_MEMBERS);
  let at = await readU64(reader, list, options);
  for (let count = 0; at !== list; count++) {
    if (count === MAX_MODULES) {
      throw new KernelFormatError("list of modules", "it does not end", at);
    }
    const entry = await entries.read(reader, at - entries.offset("list"), options);
    if (entry.u64("module") === module) return entry.u64("btf");
    at = viewOf(entry.bytes("list")).getBigUint64(0, true);
  }
  return null;
}

async function readerOf<M extends string>(
  core: BtfBlob,
  struct: string,
  members: Readonly<Record<M, number>>,
): Promise<StructReader<M>> {
  const offsets = await structOffsets([core], struct, Object.keys(members));
  return new StructReader(struct, members, offsets ?? new Map());
}
