import type { ReadOptions } from "../memory/physical_memory.ts";
import { type BtfBase, BtfBlob, decodeBtfHeader } from "./btf/btf_source.ts";
import { KernelFormatError } from "./errors.ts";
import { type Reader, readU64, viewOf } from "./reader.ts";

/** Where a kernel keeps the types of its modules. */
export interface ModuleTypesSource {
  /** Reads the running kernel's memory. */
  readonly reader: Reader;
  /** The kernel's own types, on which those of modules build. */
  readonly core: BtfBase;
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

// struct btf_module (kernel/bpf/btf.c) has begun so since there were any (5.11, 36e68442d1af "bpf: Load
// and verify kernel module BTFs"). To find it by name would take reading all of the kernel's types.
const ENTRY = { next: 0, module: 16, btf: 24, bytes: 32 } as const;
// struct btf: `data`; the header's copy at 48; in what follows `base_btf`, `start_id` and
// `start_str_off` next to each other, at a place that differs by release.
const BTF_BYTES = 256;
const AFTER_HEADER = 72;

/**
 * Lists which modules have type data: the address of the `struct btf` of each, by that of the module.
 *
 * @throws {KernelFormatError} if the list is garbage
 */
export async function readModuleBtfs(
  { list, reader }: Pick<ModuleTypesSource, "list" | "reader">,
  options: ReadOptions = {},
): Promise<Map<bigint, bigint>> {
  const found = new Map<bigint, bigint>();
  const seen = new Set<bigint>();
  for (let at = await readU64(reader, list, options); at !== list;) {
    if (seen.has(at) || seen.size === MAX_MODULES) {
      throw new KernelFormatError("list of modules with types", "it does not end", at);
    }
    seen.add(at);
    const entry = viewOf(await reader.read(at, ENTRY.bytes, options));
    found.set(entry.getBigUint64(ENTRY.module, true), entry.getBigUint64(ENTRY.btf, true));
    at = entry.getBigUint64(ENTRY.next, true);
  }
  return found;
}

/**
 * Reads the types of one module.
 *
 * @param btf the address of its `struct btf`
 * @throws {KernelFormatError} if what is found is not type data that builds on the kernel's
 */
export async function readModuleTypes(
  { core, coreBtf, reader }: ModuleTypesSource,
  btf: bigint,
  options: ReadOptions = {},
): Promise<BtfBlob> {
  const view = viewOf(await reader.read(btf, BTF_BYTES, options));
  if (!continues(view, core, coreBtf)) {
    throw new KernelFormatError(STRUCTURE, "it does not continue the kernel's", btf);
  }
  const data = view.getBigUint64(0, true);
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

/** Does a module's `struct btf` say that it goes on where the kernel's types and strings end? */
function continues(view: DataView, { count, stringsEnd }: BtfBase, coreBtf: bigint): boolean {
  for (let at = AFTER_HEADER; at + 16 <= BTF_BYTES; at += 8) {
    if (view.getBigUint64(at, true) !== coreBtf) continue;
    return view.getUint32(at + 8, true) === count && view.getUint32(at + 12, true) === stringsEnd;
  }
  return false;
}
