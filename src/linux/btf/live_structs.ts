import { type BtfBase, BtfBlob, type BtfSource } from "./btf_source.ts";
import type { KernelTypes } from "../kernel_types.ts";
import type { BtfType } from "./btf_type.ts";
import { KernelFormatError } from "../errors.ts";

/** Types in which structs are looked up by their names. */
export interface NamedTypes extends BtfSource {
  /** The numbers of the structs with that name that have members. */
  structsNamed(name: string): Promise<readonly number[]>;
}

/** What a kernel's structs are found in. */
export interface LiveStructsInit {
  /** The kernel's types by their numbers. */
  readonly types: BtfBase;
  /** Reads so many bytes of the strings, from a place on. */
  strings(offset: number, lengthBytes: number): Promise<Uint8Array>;
  /** All types, read at once; null if there are none. */
  all(): Promise<BtfBlob | null>;
}

const STRUCTURE = "type data (BTF)";
/** What one command of a monitor reads. */
const PIECE_BYTES = 32 * 1024;
/** So many types next to each other have names that are used there for the first time, nearly always. */
const WINDOW = 32;
/** How far around its place a struct is looked for. */
const AROUND = 256;
/** So many names in ascending order at the end are not by chance. */
const LAST = 6;

/** Where structs of a kernel are looked up by their names. */
export type StructsSource = Pick<KernelTypes, "all" | "base" | "strings">;

const known = new WeakMap<StructsSource, Promise<NamedTypes | null>>();

/** A kernel's structs by their names; null if it has no types. */
export function namedStructs(types: StructsSource): Promise<NamedTypes | null> {
  let structs = known.get(types);
  if (!structs) {
    structs = open(types);
    known.set(types, structs);
    structs.catch(() => known.delete(types));
  }
  return structs;
}

async function open(types: StructsSource): Promise<NamedTypes | null> {
  const base = await types.base();
  if (base === null || base instanceof BtfBlob) return base;
  return new LiveStructs({
    types: base,
    strings: (offset, lengthBytes) => types.strings(offset, lengthBytes),
    all: () => types.all(),
  });
}

const encoder = new TextEncoder();

/**
 * Finds structs among the kernel's types by their names, and reads a part of these only. Types are either in
 * the order of the compilation, and strings in that of their first use (libbpf's btf__dedup()), so that a
 * name's place among the strings tells where its type is; or they are sorted by name (since 7.0). Where that
 * does not lead to a struct, all types are read.
 */
export class LiveStructs implements NamedTypes {
  readonly #parts: LiveStructsInit;
  readonly #found = new Map<string, Promise<readonly number[]>>();
  #isSorted: Promise<boolean> | null = null;
  /** The strings from the first on, as far as they were searched. */
  #strings = new Uint8Array(0);

  constructor(parts: LiveStructsInit) {
    this.#parts = parts;
  }

  type(id: number): Promise<BtfType> {
    return this.#parts.types.type(id);
  }

  string(offset: number): Promise<string> {
    return this.#parts.types.string(offset);
  }

  structsNamed(name: string): Promise<readonly number[]> {
    let found = this.#found.get(name);
    if (!found) {
      found = this.#find(name);
      this.#found.set(name, found);
      found.catch(() => this.#found.delete(name));
    }
    return found;
  }

  async #find(name: string): Promise<readonly number[]> {
    if (this.#isSorted === null) {
      this.#isSorted = this.#looksSorted();
      this.#isSorted.catch(() => this.#isSorted = null);
    }
    if (await this.#isSorted) {
      const sorted = await this.#amongSorted(name);
      if (sorted.length > 0) return sorted;
    }
    const place = await this.#placeOf(name);
    // What is not among the strings is no type's name.
    if (place === null) return [];
    const near = await this.#near(place);
    if (near.length > 0) return near;
    return await (await this.#parts.all())?.structsNamed(name) ?? [];
  }

  async #looksSorted(): Promise<boolean> {
    const { count } = this.#parts.types;
    const names: string[] = [];
    for (let id = Math.max(1, count - LAST); id < count; id++) names.push(await this.#nameOf(id));
    return names.length === LAST &&
      names.every((name, i) => name !== "" && (i === 0 || names[i - 1]! <= name));
  }

  /** Anonymous types come first, and have the empty name. */
  async #amongSorted(name: string): Promise<number[]> {
    const { count } = this.#parts.types;
    let id = await firstFrom(1, count, async (middle) => await this.#nameOf(middle) >= name);
    const found: number[] = [];
    for (; id < count && await this.#nameOf(id) === name; id++) {
      if (hasMembers(await this.type(id))) found.push(id);
    }
    return found;
  }

  /** The structs whose name has a place among the strings, around where that is used first. */
  async #near(place: number): Promise<number[]> {
    const { count } = this.#parts.types;
    const first = await firstFrom(1, count, async (middle) => {
      let last = 0;
      for (let id = middle; id < Math.min(count, middle + WINDOW); id++) {
        const { name, members } = await this.type(id);
        last = Math.max(last, name, ...members.map((member) => member.name));
      }
      return last >= place;
    });
    const found: number[] = [];
    const end = Math.min(count, first + WINDOW + AROUND);
    for (let id = Math.max(1, first - AROUND); id < end; id++) {
      const type = await this.type(id);
      if (type.name === place && hasMembers(type)) found.push(id);
    }
    return found;
  }

  async #nameOf(id: number): Promise<string> {
    const { name } = await this.type(id);
    return name === 0 ? "" : await this.string(name);
  }

  /** Where a name is among the strings, which are read as far as that. */
  async #placeOf(name: string): Promise<number | null> {
    const wanted = encoder.encode(`\0${name}\0`);
    const { stringsEnd } = this.#parts.types;
    for (let from = 0;;) {
      const at = indexOf(this.#strings, wanted, from);
      if (at >= 0) return at + 1;
      const known = this.#strings.length;
      if (known >= stringsEnd) return null;
      const more = await this.#parts.strings(known, Math.min(PIECE_BYTES, stringsEnd - known));
      if (more.length === 0) throw new KernelFormatError(STRUCTURE, "its strings end early");
      // Another search may have read it meanwhile.
      if (this.#strings.length === known) this.#strings = joined(this.#strings, more);
      from = Math.max(0, known - wanted.length);
    }
  }
}

function hasMembers({ kind, members }: BtfType): boolean {
  return kind === "struct" && members.length > 0;
}

/** The first number of a range of which something is true, if it is true of all that follow. */
async function firstFrom(
  low: number,
  high: number,
  isTrue: (middle: number) => Promise<boolean>,
): Promise<number> {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0, from); at >= 0; at = bytes.indexOf(0, at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
