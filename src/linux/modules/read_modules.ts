import type { ReadOptions } from "../../memory/physical_memory.ts";
import { Changed, untilWhole } from "../changed.ts";
import { CapabilityError, KernelFormatError } from "../errors.ts";
import { type Reader, readU64, viewOf } from "../reader.ts";
import { type StructOffsets, StructReader, type StructView } from "../struct_reader.ts";
import type { LinuxModule, ModulePart, ModuleState } from "./linux_module.ts";

/** Where a kernel keeps its modules. */
export interface ModuleListSource {
  /** Reads the running kernel's memory. */
  readonly reader: Reader;
  /** Where the members of what is read lie. */
  readonly offsets: StructOffsets;
  /** The address of `modules`, the head of the list. */
  readonly head: bigint;
}

/** A module, and where its symbols are. */
export interface ListedModule extends LinuxModule {
  /** The address of its `struct mod_kallsyms`; 0 for none. */
  readonly kallsyms: bigint;
}

/** MODULE_NAME_LEN on 64 bits (include/linux/moduleparam.h). */
const NAME_BYTES = 56;
/** A distribution builds some 4000 modules. */
const MAX_MODULES = 1 << 13;
const MAX_ATTEMPTS = 20;
/** Far more than any module has. */
const MAX_PART_BYTES = 1 << 28;

// enum module_state (include/linux/module.h).
const STATES: readonly ModuleState[] = ["live", "coming", "going", "unformed"];
// enum mod_mem_type, since 6.4 (ac3b43283923 "module: replace module_layout with module_memory").
const KINDS = [
  "text",
  "data",
  "read-only data",
  "read-only after init",
  "init text",
  "init data",
  "init read-only data",
];

const MEMBERS = { state: 4, list: 16, name: NAME_BYTES, kallsyms: 8 } as const;
type Member = keyof typeof MEMBERS | "mem" | "core_layout" | "init_layout";

/**
 * Lists the modules in the order of the kernel's list: the last one loaded first. What existed all the time
 * is in the list.
 *
 * @throws {KernelFormatError} if the list is garbage: it leads in a circle, or a module has no sane place
 * @throws {InconsistentListError} if it changes faster than it can be read, or leads out of memory
 */
export async function readModules(
  source: ModuleListSource,
  options: ReadOptions = {},
): Promise<ListedModule[]> {
  return await untilWhole("The list of modules", MAX_ATTEMPTS, () => readOnce(source, options));
}

async function readOnce(
  { reader, offsets, head }: ModuleListSource,
  options: ReadOptions,
): Promise<ListedModule[]> {
  const layout = layoutOf(offsets);
  const modules = new StructReader<Member>(
    "module",
    { ...MEMBERS, ...layout.members },
    offsets,
    { gapBytes: 4096 },
  );
  const found: ListedModule[] = [];
  const seen = new Set<bigint>();
  let previous = head;
  for (let at = await readU64(reader, head, options); at !== head;) {
    if (seen.has(at) || seen.size === MAX_MODULES) {
      throw new KernelFormatError("list of modules", "it leads in a circle, or does not end", at);
    }
    seen.add(at);
    const view = await modules.read(reader, at - modules.offset("list"), options);
    const links = viewOf(view.bytes("list"));
    if (links.getBigUint64(8, true) !== previous) throw new Changed("a module comes or goes");
    found.push(moduleOf(view, layout.partsOf(view)));
    [previous, at] = [at, links.getBigUint64(0, true)];
  }
  return found;
}

function moduleOf(view: StructView<Member>, parts: readonly ModulePart[]): ListedModule {
  const state = STATES[view.u32("state")];
  if (state === undefined) {
    throw new KernelFormatError("module", `it is in no known state`, view.address);
  }
  for (const { address, lengthBytes } of parts) {
    if (lengthBytes > MAX_PART_BYTES || address >> 63n === 0n) {
      throw new KernelFormatError("module", "its memory has no sane place", view.address);
    }
  }
  return {
    name: view.text("name"),
    state,
    base: parts[0]?.address ?? 0n,
    lengthBytes: parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
    parts,
    module: view.address,
    kallsyms: view.u64("kallsyms"),
  };
}

/** What this kernel says of a module's memory, and how to read it. */
function layoutOf(offsets: StructOffsets): {
  readonly members: Partial<Record<Member, number>>;
  partsOf(view: StructView<Member>): ModulePart[];
} {
  const part = (bytes: Uint8Array, struct: string, kind: string, start = 0): ModulePart[] => {
    const view = viewOf(bytes);
    const address = view.getBigUint64(start + needed(offsets, `${struct}.base`), true);
    const lengthBytes = view.getUint32(start + needed(offsets, `${struct}.size`), true);
    return lengthBytes === 0 ? [] : [{ kind, address, lengthBytes }];
  };
  if (offsets.has("module.mem")) {
    const bytes = needed(offsets, "module_memory.sizeof");
    return {
      members: { mem: bytes * KINDS.length },
      partsOf: (view) =>
        KINDS.flatMap((kind, i) => part(view.bytes("mem"), "module_memory", kind, bytes * i)),
    };
  }
  const bytes = needed(offsets, "module_layout.sizeof");
  return {
    members: { core_layout: bytes, init_layout: bytes },
    partsOf: (view) => [
      ...part(view.bytes("core_layout"), "module_layout", "all"),
      ...part(view.bytes("init_layout"), "module_layout", "init"),
    ],
  };
}

function needed(offsets: StructOffsets, member: string): number {
  const offset = offsets.get(member);
  if (offset !== undefined) return offset;
  throw new CapabilityError(
    "types",
    `Where ${member} lies in this kernel is not known: it has no type data (CONFIG_DEBUG_INFO_BTF), or ` +
      "keeps its modules in another way",
  );
}
