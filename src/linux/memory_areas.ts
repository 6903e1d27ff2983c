import type { ReadOptions } from "../memory/physical_memory.ts";
import { BatchingReader } from "./batching_reader.ts";
import { Changed, untilWhole } from "./changed.ts";
import { KernelFormatError } from "./errors.ts";
import { FilePaths } from "./file_paths.ts";
import { readGateArea } from "./gate_area.ts";
import type { Kernel } from "./kernel.ts";
import type { AreaKind, MemoryArea } from "./memory_area.ts";
import { readMapleTree } from "./maple_tree.ts";
import { readCString, readU64 } from "./reader.ts";
import { type StructOffsets, StructReader, type StructView } from "./struct_reader.ts";
import { VM } from "./vm_flags.ts";

const AREA_MEMBERS = {
  vm_start: 8,
  vm_end: 8,
  vm_mm: 8,
  vm_flags: 8,
  vm_ops: 8,
  vm_pgoff: 8,
  vm_file: 8,
  vm_private_data: 8,
  // The name that a process gave it, in kernels that keep one.
  anon_name: 8,
} as const;
type Area = StructView<keyof typeof AREA_MEMBERS>;

const MM_MEMBERS = { start_brk: 8, brk: 8, start_stack: 8 } as const;

const MAX_AREAS = 1 << 20;
const MAX_ATTEMPTS = 20;
const MAX_NAME_BYTES = 256;

/**
 * Lists the memory areas of a process while it may change them: an area counts only if it says that it
 * belongs to this process and lies where the tree has it.
 *
 * @throws {InconsistentListError} if they change faster than they can be read
 */
export async function readMemoryAreas(
  kernel: Kernel,
  mm: bigint,
  options: ReadOptions = {},
): Promise<MemoryArea[]> {
  const offsets = await kernel.offsets("vmas");
  return await untilWhole(
    "The process's memory areas",
    MAX_ATTEMPTS,
    () => new AreaReader(kernel, mm, offsets, options).run(),
  );
}

class AreaReader {
  readonly #kernel: Kernel;
  readonly #mm: bigint;
  readonly #offsets: StructOffsets;
  readonly #options: ReadOptions;
  readonly #areas: StructReader<keyof typeof AREA_MEMBERS>;
  /** What areas point to is read for all of them at once. */
  readonly #batch: BatchingReader;
  #paths: FilePaths | null = null;

  constructor(kernel: Kernel, mm: bigint, offsets: StructOffsets, options: ReadOptions) {
    this.#kernel = kernel;
    this.#mm = mm;
    this.#offsets = offsets;
    this.#options = options;
    const { anon_name, ...always } = AREA_MEMBERS;
    const members = offsets.has("vm_area_struct.anon_name") ? { ...always, anon_name } : always;
    this.#areas = new StructReader("vm_area_struct", members, offsets);
    this.#batch = new BatchingReader(kernel.live, options);
  }

  async run(): Promise<MemoryArea[]> {
    const program = await new StructReader("mm_struct", MM_MEMBERS, this.#offsets)
      .read(this.#kernel.live, this.#mm, this.#options);
    const areas = this.#offsets.has("mm_struct.mm_mt")
      ? await this.#fromTree()
      : await this.#fromList();
    const special = await this.#kernel.address("special_mapping_vmops");
    this.#paths = new FilePaths(this.#batch, this.#offsets, {
      anonInodeOperations: await this.#kernel.address("anon_inodefs_dentry_operations"),
    });
    const listed = await Promise.all(areas.map((area) => this.#describe(area, program, special)));
    const gate = await readGateArea(this.#kernel, this.#mm, this.#offsets, this.#options);
    return gate ? [...listed, gate] : listed;
  }

  /** From 6.1 on: a maple tree. */
  async #fromTree(): Promise<Area[]> {
    const { live } = this.#kernel;
    const tree = this.#mm + this.#offset("mm_struct.mm_mt") + this.#offset("maple_tree.ma_root");
    const entries = await readMapleTree(live, await readU64(live, tree), this.#options);
    const addresses = entries.map(({ value }) => value);
    const areas = await this.#areas.readAll(live, addresses, this.#options);
    return areas.map((area, i) => {
      const { first, last } = entries[i]!;
      if (
        !area || !this.#isOwn(area) || area.u64("vm_start") !== first ||
        area.u64("vm_end") !== last + 1n
      ) {
        throw new Changed("an area has moved");
      }
      return area;
    });
  }

  /** Before 6.1: a list, in the order of addresses. */
  async #fromList(): Promise<Area[]> {
    const { live } = this.#kernel;
    const next = this.#offset("vm_area_struct.vm_next");
    const areas: Area[] = [];
    let at = await readU64(live, this.#mm + this.#offset("mm_struct.mmap"), this.#options);
    let end = 0n;
    while (at !== 0n) {
      const [area, after] = await Promise.all([
        this.#areas.read(live, at, this.#options),
        readU64(live, at + next, this.#options),
      ]);
      if (!this.#isOwn(area) || area.u64("vm_start") < end || areas.length > MAX_AREAS) {
        throw new Changed("the areas do not ascend");
      }
      areas.push(area);
      end = area.u64("vm_end");
      at = after;
    }
    return areas;
  }

  #isOwn(area: Area): boolean {
    return area.u64("vm_mm") === this.#mm && area.u64("vm_end") > area.u64("vm_start");
  }

  async #describe(
    area: Area,
    program: StructView<keyof typeof MM_MEMBERS>,
    special: bigint | null,
  ): Promise<MemoryArea> {
    const flags = area.u64("vm_flags");
    const file = area.u64("vm_file");
    const [kind, name] = file !== 0n
      ? await this.#fileName(file, flags, area)
      : await this.#ownName(area, program, special);
    return {
      start: area.u64("vm_start"),
      end: area.u64("vm_end"),
      permissions: permissionsOf(flags),
      offset: file === 0n ? 0n : area.u64("vm_pgoff") * 4096n,
      kind,
      name,
      flags,
    };
  }

  async #fileName(file: bigint, flags: bigint, area: Area): Promise<[AreaKind, string]> {
    const path = await this.#paths!.pathOf(file);
    // Until 6.1 an area of a file has something else in that place (commit d09e8ca6cb93 "mm: anonymous
    // shared memory naming").
    const offsets = this.#offsets;
    const isOwn = offsets.get("vm_area_struct.anon_name") !== offsets.get("vm_area_struct.shared");
    const given = isOwn ? await this.#givenName(area) : null;
    const name = given === null ? path : `[anon_shmem:${given}]`;
    if (flags & VM.HUGETLB) return ["hugetlb", name];
    if (!(flags & (VM.PFNMAP | VM.IO))) return ["file", name];
    // A group's device is an anonymous inode, a device opened by its number a character device.
    const isVfio = path.startsWith("anon_inode:[vfio") || path.startsWith("/dev/vfio/");
    return [isVfio ? "vfio" : "device", name];
  }

  /** As show_map_vma() in fs/proc/task_mmu.c. */
  async #ownName(
    area: Area,
    program: StructView<keyof typeof MM_MEMBERS>,
    special: bigint | null,
  ): Promise<[AreaKind, string]> {
    const [start, end] = [area.u64("vm_start"), area.u64("vm_end")];
    if (special !== null && area.u64("vm_ops") === special) {
      // struct vm_special_mapping begins with the name.
      const text = await readU64(this.#batch, area.u64("vm_private_data"));
      const name = await readCString(this.#batch, text, MAX_NAME_BYTES);
      return ["special", name ?? ""];
    }
    if (area.u64("vm_flags") & VM.HUGETLB) return ["hugetlb", ""];
    // vma_is_initial_heap() since 6.7; before, an area that only touched an empty heap counted too.
    if (start < program.u64("brk") && end > program.u64("start_brk")) return ["heap", "[heap]"];
    const stack = program.u64("start_stack");
    if (start <= stack && end >= stack) return ["stack", "[stack]"];
    const given = await this.#givenName(area);
    return ["anonymous", given === null ? "" : `[anon:${given}]`];
  }

  /** The name that the process gave the area with prctl (5.17 and later, where it is built in). */
  async #givenName(area: Area): Promise<string | null> {
    const [member, text] = ["vm_area_struct.anon_name", "anon_vma_name.name"];
    if (!this.#offsets.has(member) || !this.#offsets.has(text)) return null;
    const pointer = area.u64("anon_name");
    if (pointer === 0n) return null;
    return await readCString(this.#batch, pointer + this.#offset(text), MAX_NAME_BYTES);
  }

  #offset(member: string): bigint {
    const offset = this.#offsets.get(member);
    if (offset === undefined) {
      throw new KernelFormatError("memory areas", `where ${member} lies is not known`);
    }
    return BigInt(offset);
  }
}

function permissionsOf(flags: bigint): string {
  return [
    flags & VM.READ ? "r" : "-",
    flags & VM.WRITE ? "w" : "-",
    flags & VM.EXEC ? "x" : "-",
    flags & VM.MAYSHARE ? "s" : "p",
  ].join("");
}
