import { Btf } from "./btf/btf.ts";
import { type BtfBase, BtfBlob, LiveBtf, SectionBtf } from "./btf/btf_source.ts";
import type { TypeRoots } from "./btf_offsets.ts";
import { KernelFormatError } from "./errors.ts";
import { type Reader, readU64, viewOf } from "./reader.ts";

/** Where a kernel's types are read. */
export interface KernelTypesParts {
  /** Reads what stays while the kernel runs, in pieces of some KiB: types lie scattered. */
  readonly reader: Reader;
  /** Reads memory as it is. */
  readonly live: Reader;
  /** The address of a symbol; null if there is none. */
  address(name: string): Promise<bigint | null>;
  /** Types out of files, the kernel's own first: they take the place of what is in memory. */
  readonly given: readonly BtfBlob[];
}

/** BTF of 5 MB and more exists; this only bounds what garbage makes us read. */
const MAX_BTF_BYTES = 64n << 20n;
const ROOTS = ["task_struct", "file", "vm_area_struct"] as const;

/** The types of a kernel: those that it has in memory, or those of a file. */
export class KernelTypes {
  readonly #parts: KernelTypesParts;
  #live: Promise<LiveBtf | null> | null = null;
  #entry: Promise<{ btf: Btf; roots: TypeRoots } | null> | null = null;
  #blob: Promise<BtfBlob | null> | null = null;
  #base: Promise<BtfBase | null> | null = null;

  /** Prepares; nothing is read yet. */
  constructor(parts: KernelTypesParts) {
    this.#parts = parts;
  }

  /** Types out of files, the kernel's own first; none if it has its own in memory. */
  get given(): readonly BtfBlob[] {
    return this.#parts.given;
  }

  /** All types, read at once: some megabytes; null if there are none. */
  all(): Promise<BtfBlob | null> {
    return this.#blob ??= this.#readAll();
  }

  /** All types by their numbers, each read when it is asked for; null if there are none. */
  base(): Promise<BtfBase | null> {
    return this.#base ??= this.#openBase();
  }

  /** Reads so many bytes of the strings that the types by their numbers have, from a place on. */
  async strings(offset: number, lengthBytes: number): Promise<Uint8Array> {
    const live = await this.#openLive();
    return live === null ? new Uint8Array(0) : await live.strings(offset, lengthBytes);
  }

  /** Types to follow from a few that are known; null if there are none. */
  entry(): Promise<{ btf: Btf; roots: TypeRoots } | null> {
    return this.#entry ??= this.#open();
  }

  async #readAll(): Promise<BtfBlob | null> {
    const { address, given: [own], live } = this.#parts;
    if (own) return own;
    const start = await address("__start_BTF");
    const stop = await address("__stop_BTF");
    if (start === null || stop === null || stop <= start) return null;
    if (stop - start > MAX_BTF_BYTES) {
      throw new KernelFormatError("type data (BTF)", "it is longer than 64 MiB", start);
    }
    if (await orNone(SectionBtf.open(live, start)) === null) return null;
    return new BtfBlob(await live.read(start, Number(stop - start)));
  }

  async #openBase(): Promise<BtfBase | null> {
    const live = this.given.length > 0 ? null : await this.#openLive();
    if (live === null) return await this.all();
    try {
      return await live.asBase();
    } catch (error) {
      // A `struct btf` of another make.
      if (!(error instanceof KernelFormatError)) throw error;
      return await this.all();
    }
  }

  /** The kernel's own table of types where it has one, else the section that it is made from. */
  async #open(): Promise<{ btf: Btf; roots: TypeRoots } | null> {
    const { address, given: [own], reader } = this.#parts;
    if (own) {
      const ids = await Promise.all(ROOTS.map(async (name) => (await own.structsNamed(name))[0]));
      return { btf: new Btf(own), roots: rootsOf(ids) };
    }
    const live = await this.#openLive();
    const ids = await address("btf_tracing_ids");
    if (live !== null && ids !== null) {
      const view = viewOf(await reader.read(ids, ROOTS.length * 4));
      const roots = rootsOf(ROOTS.map((_, i) => view.getUint32(i * 4, true)));
      const btf = new Btf(live);
      if (await btf.nameOf(roots.task_struct) === "task_struct") return { btf, roots };
    }
    const start = await address("__start_BTF");
    const section = start === null ? null : await orNone(SectionBtf.open(reader, start));
    if (section === null) return null;
    const found: number[] = [];
    for (const name of ROOTS) found.push(await section.structNamed(name));
    return { btf: new Btf(section), roots: rootsOf(found) };
  }

  #openLive(): Promise<LiveBtf | null> {
    return this.#live ??= this.#findLive();
  }

  async #findLive(): Promise<LiveBtf | null> {
    const { address, live, reader } = this.#parts;
    const variable = await address("btf_vmlinux");
    const pointer = variable === null ? 0n : await readU64(live, variable);
    return pointer >> 63n ? await LiveBtf.open(reader, pointer) : null;
  }
}

/** What does not begin as types do is none. */
async function orNone<T>(opening: Promise<T>): Promise<T | null> {
  try {
    return await opening;
  } catch (error) {
    if (error instanceof KernelFormatError) return null;
    throw error;
  }
}

function rootsOf(ids: readonly (number | undefined)[]): TypeRoots {
  const [task_struct, file, vm_area_struct] = ids;
  if (task_struct === undefined || file === undefined || vm_area_struct === undefined) {
    throw new KernelFormatError("type data (BTF)", `it has not all of ${ROOTS.join(", ")}`);
  }
  return { task_struct, file, vm_area_struct };
}
