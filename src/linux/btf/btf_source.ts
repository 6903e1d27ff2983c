import { isChange } from "../changed.ts";
import { KernelFormatError } from "../errors.ts";
import { readCString, type Reader, readU64, viewOf } from "../reader.ts";
import {
  BTF_HEAD_BYTES,
  BTF_VOID,
  type BtfType,
  btfTypeLength,
  decodeBtfType,
  isNamedAlone,
} from "./btf_type.ts";

/** Where types come from: the running kernel's own table, or a whole BTF read at once. */
export interface BtfSource {
  /** The type of a number. @throws {KernelFormatError} if there is none */
  type(id: number): Promise<BtfType>;
  /** The text at a place among the strings. @throws {KernelFormatError} if there is none */
  string(offset: number): Promise<string>;
}

const MAGIC = 0xeb9f;
const STRUCTURE = "type data (BTF)";
/** Bounds for hostile bytes; 7.3 has 150,000 types, 5.3 MB, and names below 128 characters. */
const MAX_TYPES = 1 << 20;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_NAME_BYTES = 512;
const MAX_MEMBERS = 8192;
/** What a section is read in. */
const WINDOW_BYTES = 16 * 1024;

// struct btf (kernel/bpf/btf.c): `data`, `types`, two tables, `strings`, `nohdr_data`, `hdr`. The
// first members have stood there since 4.18.
const BTF_TYPES = 8;
const BTF_HEADER = 48;
/** `nr_types` follows the header, which has eight bytes more in newer kernels (7.3 has). */
const BTF_COUNTS = [72, 80] as const;

/** Types that others go on from: a module's build on the kernel's. */
export interface BtfBase extends BtfSource {
  /** How many types there are, number 0 included. */
  readonly count: number;
  /** Where the strings end. */
  readonly stringsEnd: number;
}

/** The header that BTF begins with (include/uapi/linux/btf.h); places count from the data's start. */
export interface BtfHeader {
  /** Where the types begin. */
  readonly typesAt: number;
  /** How long they are. */
  readonly typesBytes: number;
  /** Where the strings begin. */
  readonly stringsAt: number;
  /** How long they are. */
  readonly stringsBytes: number;
}

/**
 * Reads the header.
 *
 * @throws {KernelFormatError} if it is none
 */
export function decodeBtfHeader(bytes: Uint8Array): BtfHeader {
  const view = viewOf(bytes);
  if (bytes.length < 24 || view.getUint16(0, true) !== MAGIC || bytes[2] !== 1) {
    throw new KernelFormatError(STRUCTURE, "it does not begin with the magic number");
  }
  const headerBytes = view.getUint32(4, true);
  const header = {
    typesAt: headerBytes + view.getUint32(8, true),
    typesBytes: view.getUint32(12, true),
    stringsAt: headerBytes + view.getUint32(16, true),
    stringsBytes: view.getUint32(20, true),
  };
  if (
    header.typesAt + header.typesBytes > MAX_BYTES ||
    header.stringsAt + header.stringsBytes > MAX_BYTES
  ) {
    throw new KernelFormatError(STRUCTURE, "its header names more than 64 MiB");
  }
  return header;
}

/**
 * The kernel's BTF as the kernel itself uses it: a table of pointers to types, of which only those
 * asked for are read.
 */
export class LiveBtf implements BtfSource {
  readonly #reader: Reader;
  readonly #counts: readonly number[];
  readonly #data: bigint;
  readonly #pointers: bigint;
  readonly #header: BtfHeader;

  private constructor(
    reader: Reader,
    place: { readonly data: bigint; readonly pointers: bigint },
    header: BtfHeader,
    counts: readonly number[],
  ) {
    this.#reader = reader;
    this.#data = place.data;
    this.#pointers = place.pointers;
    this.#header = header;
    this.#counts = counts;
  }

  /**
   * Opens the `struct btf` that `btf_vmlinux` points to.
   *
   * @throws {KernelFormatError} if it is none
   */
  static async open(reader: Reader, btf: bigint): Promise<LiveBtf> {
    const bytes = await reader.read(btf, Math.max(...BTF_COUNTS) + 4);
    const view = viewOf(bytes);
    const header = decodeBtfHeader(bytes.subarray(BTF_HEADER));
    const place = {
      data: view.getBigUint64(0, true),
      pointers: view.getBigUint64(BTF_TYPES, true),
    };
    return new LiveBtf(reader, place, header, BTF_COUNTS.map((at) => view.getUint32(at, true)));
  }

  /**
   * The same as what modules' types build on. Where the number of types stands differs by release: it is
   * the one whose last type ends where the types end.
   *
   * @throws {KernelFormatError} if there is no such number
   */
  async asBase(): Promise<BtfBase> {
    const { stringsBytes } = this.#header;
    for (const count of this.#counts) {
      if (count < 2 || count > MAX_TYPES || !await this.#isLast(count - 1)) continue;
      return {
        count,
        stringsEnd: stringsBytes,
        type: (id) => this.type(id),
        string: (offset) => this.string(offset),
      };
    }
    throw new KernelFormatError(STRUCTURE, "how many types it has is not known", this.#data);
  }

  /** Reads so many bytes of the strings, from a place on. */
  strings(offset: number, lengthBytes: number): Promise<Uint8Array> {
    const start = this.#data + BigInt(this.#header.stringsAt + offset);
    return this.#reader.read(start, lengthBytes);
  }

  async #isLast(id: number): Promise<boolean> {
    const { typesAt, typesBytes } = this.#header;
    const end = this.#data + BigInt(typesAt + typesBytes);
    try {
      const at = await readU64(this.#reader, this.#pointers + BigInt(id * 8));
      return at + BigInt((await this.type(id)).lengthBytes) === end;
    } catch (error) {
      if (error instanceof KernelFormatError || isChange(error)) return false;
      throw error;
    }
  }

  async type(id: number): Promise<BtfType> {
    if (id === 0) return BTF_VOID;
    if (id > MAX_TYPES) throw new KernelFormatError(STRUCTURE, `no type ${id}`);
    const at = await readU64(this.#reader, this.#pointers + BigInt(id * 8));
    const end = this.#data + BigInt(this.#header.typesAt + this.#header.typesBytes);
    if (at < this.#data || at + BigInt(BTF_HEAD_BYTES) > end) {
      throw new KernelFormatError(STRUCTURE, `type ${id} lies outside the type data`, at);
    }
    const length = btfTypeLength(await this.#reader.read(at, BTF_HEAD_BYTES));
    if (length > MAX_MEMBERS * 12) {
      throw new KernelFormatError(STRUCTURE, `type ${id} has too many members`, at);
    }
    return decodeBtfType(await this.#reader.read(at, length));
  }

  async string(offset: number): Promise<string> {
    const { stringsAt, stringsBytes } = this.#header;
    const limit = Math.min(MAX_NAME_BYTES, stringsBytes - offset);
    const text = limit > 0 &&
      await readCString(this.#reader, this.#data + BigInt(stringsAt + offset), limit);
    if (typeof text !== "string") throw new KernelFormatError(STRUCTURE, `no string ${offset}`);
    return text;
  }
}

/**
 * The BTF section in the kernel's image, read from its beginning as far as it takes. Until 6.19 the
 * types that tasks are made of come within the first 60 KB; later kernels sort by name, and have a table.
 */
export class SectionBtf implements BtfSource {
  readonly #reader: Reader;
  readonly #start: bigint;
  readonly #header: BtfHeader;
  readonly #types: BtfType[] = [BTF_VOID];
  #next: number;
  #window: { at: number; bytes: Uint8Array } = { at: 0, bytes: new Uint8Array(0) };

  private constructor(reader: Reader, start: bigint, header: BtfHeader) {
    this.#reader = reader;
    this.#start = start;
    this.#header = header;
    this.#next = header.typesAt;
  }

  /**
   * Opens the section (`__start_BTF`).
   *
   * @throws {KernelFormatError} if it is none
   */
  static async open(reader: Reader, start: bigint): Promise<SectionBtf> {
    return new SectionBtf(reader, start, decodeBtfHeader(await reader.read(start, 24)));
  }

  async type(id: number): Promise<BtfType> {
    while (id >= this.#types.length) {
      if (!(await this.#readNext())) throw new KernelFormatError(STRUCTURE, `no type ${id}`);
    }
    return this.#types[id]!;
  }

  /** The number of the first struct of that name. @throws {KernelFormatError} if there is none */
  async structNamed(name: string): Promise<number> {
    for (let id = 1; id < this.#types.length || await this.#readNext(); id++) {
      const type = this.#types[id]!;
      if (type.kind === "struct" && type.name !== 0 && await this.string(type.name) === name) {
        return id;
      }
    }
    throw new KernelFormatError(STRUCTURE, `it has no struct ${name}`);
  }

  async string(offset: number): Promise<string> {
    const { stringsAt, stringsBytes } = this.#header;
    const limit = Math.min(MAX_NAME_BYTES, stringsBytes - offset);
    const text = limit > 0 &&
      await readCString(this.#reader, this.#start + BigInt(stringsAt + offset), limit);
    if (typeof text !== "string") throw new KernelFormatError(STRUCTURE, `no string ${offset}`);
    return text;
  }

  /** Decodes one type more; false at the end. */
  async #readNext(): Promise<boolean> {
    const { typesAt, typesBytes } = this.#header;
    const at = this.#next;
    if (at + BTF_HEAD_BYTES > typesAt + typesBytes || this.#types.length > MAX_TYPES) return false;
    const length = btfTypeLength(await this.#bytes(at, BTF_HEAD_BYTES));
    this.#types.push(decodeBtfType(await this.#bytes(at, length)));
    this.#next = at + length;
    return true;
  }

  async #bytes(at: number, lengthBytes: number): Promise<Uint8Array> {
    const { typesAt, typesBytes } = this.#header;
    if (at + lengthBytes > typesAt + typesBytes) {
      throw new KernelFormatError(STRUCTURE, "a type is cut off");
    }
    let { at: start, bytes } = this.#window;
    if (at < start || at + lengthBytes > start + bytes.length) {
      const wanted = Math.max(lengthBytes, WINDOW_BYTES);
      const length = Math.min(wanted, typesAt + typesBytes - at);
      bytes = await this.#reader.read(this.#start + BigInt(at), length);
      start = at;
      this.#window = { at, bytes };
    }
    return bytes.subarray(at - start, at - start + lengthBytes);
  }
}

/**
 * A whole BTF in memory: what is needed to find a type by its name. A module's is split: its numbers
 * and the places of its strings go on where those of the kernel, its base, end (kernel/bpf/btf.c,
 * `btf_type_by_id` and `btf_str_by_offset`).
 */
export class BtfBlob implements BtfBase {
  readonly #bytes: Uint8Array;
  readonly #header: BtfHeader;
  readonly #base: BtfBase | null;
  /** The number of the first type here, and where the strings here begin. */
  readonly #first: { readonly id: number; readonly string: number };
  /** Where each type begins; number 0 has no place. */
  readonly #places: readonly number[];
  #names: Promise<Map<string, number[]>> | null = null;

  /**
   * Indexes the types.
   *
   * @throws {KernelFormatError} if the bytes are not BTF
   */
  constructor(bytes: Uint8Array, base: BtfBase | null = null) {
    this.#bytes = bytes;
    this.#header = decodeBtfHeader(bytes);
    this.#base = base;
    this.#first = { id: base?.count ?? 0, string: base?.stringsEnd ?? 0 };
    const places = base ? [] : [0];
    const end = Math.min(bytes.length, this.#header.typesAt + this.#header.typesBytes);
    for (let at = this.#header.typesAt; at + BTF_HEAD_BYTES <= end;) {
      if (places.length > MAX_TYPES) throw new KernelFormatError(STRUCTURE, "too many types");
      places.push(at);
      at += btfTypeLength(bytes, at);
    }
    this.#places = places;
  }

  /** How many types there are, number 0 and the base's included. */
  get count(): number {
    return this.#first.id + this.#places.length;
  }

  /** Where the strings end, the base's included: those of what is built on this begin there. */
  get stringsEnd(): number {
    return this.#first.string + this.#header.stringsBytes;
  }

  async type(id: number): Promise<BtfType> {
    if (id === 0) return BTF_VOID;
    if (this.#base && id < this.#first.id) return await this.#base.type(id);
    const at = this.#places[id - this.#first.id];
    if (at === undefined) throw new KernelFormatError(STRUCTURE, `no type ${id}`);
    return decodeBtfType(this.#bytes, at);
  }

  async string(offset: number): Promise<string> {
    if (this.#base && offset < this.#first.string) return await this.#base.string(offset);
    return this.#ownString(offset);
  }

  /**
   * The numbers of the types of that name: a struct, an enum, a typedef and a function may share one.
   * Types of the base are not among them.
   */
  async idsOf(name: string): Promise<readonly number[]> {
    return (await (this.#names ??= this.#readNames())).get(name) ?? [];
  }

  /** The same of structs that have members: one that is only declared has the name, too. */
  async structsNamed(name: string): Promise<readonly number[]> {
    const found: number[] = [];
    for (const id of await this.idsOf(name)) {
      const { kind, members } = await this.type(id);
      if (kind === "struct" && members.length > 0) found.push(id);
    }
    return found;
  }

  /** The names of all types but the base's. */
  async names(): Promise<Iterable<string>> {
    return (await (this.#names ??= this.#readNames())).keys();
  }

  /** Of the names that the base has only those of structs are read: it may be far away. */
  async #readNames(): Promise<Map<string, number[]>> {
    const names = new Map<string, number[]>();
    const view = viewOf(this.#bytes);
    const ofBase: { readonly id: number; readonly offset: number }[] = [];
    const add = (name: string, id: number) => {
      const ids = names.get(name);
      if (ids) ids.push(id);
      else names.set(name, [id]);
    };
    this.#places.forEach((place, i) => {
      const offset = place === 0 ? 0 : view.getUint32(place, true);
      if (offset === 0) return;
      const id = this.#first.id + i;
      if (!this.#base || offset >= this.#first.string) add(this.#ownString(offset), id);
      else if (isNamedAlone(view.getUint32(place + 4, true))) ofBase.push({ id, offset });
    });
    const texts = await Promise.all(ofBase.map(({ offset }) => this.string(offset)));
    ofBase.forEach(({ id }, i) => add(texts[i]!, id));
    return names;
  }

  #ownString(offset: number): string {
    const { stringsAt, stringsBytes } = this.#header;
    const own = offset - this.#first.string;
    const start = stringsAt + own;
    const end = own < stringsBytes ? this.#bytes.indexOf(0, start) : -1;
    if (end < 0 || end - start > MAX_NAME_BYTES) {
      throw new KernelFormatError(STRUCTURE, `no string ${offset}`);
    }
    return latin1.decode(this.#bytes.subarray(start, end));
  }
}

const latin1 = new TextDecoder("latin1");
