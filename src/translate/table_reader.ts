import { MemoryReadError, type PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressSpan } from "./regime.ts";

/** What of a span reading its tables takes. */
export type EntryLayout = Pick<AddressSpan, "entryBytes" | "presentBits" | "hardwareBits">;

/** The entries of a table, or of a part of it, as they stood in memory. */
export class TableEntries {
  /** How many there are. */
  readonly length: number;
  readonly #low: Uint32Array;
  readonly #wide: BigUint64Array | null;
  readonly #stride: 1 | 2;
  readonly #presentBits: number;
  readonly #hardwareBits: number;

  /** Takes the bytes of whole entries of a span's tables. */
  constructor(bytes: Uint8Array, { entryBytes, presentBits, hardwareBits }: EntryLayout) {
    this.#presentBits = presentBits;
    this.#hardwareBits = Number(hardwareBits);
    // Typed arrays are little-endian on every machine that Deno runs on, as entries are; they need
    // an aligned start, which a slice of a larger read may not have.
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const { buffer, byteOffset, byteLength } = aligned;
    this.length = byteLength / entryBytes;
    this.#low = new Uint32Array(buffer, byteOffset, byteLength / 4);
    this.#wide = entryBytes === 8 ? new BigUint64Array(buffer, byteOffset, this.length) : null;
    this.#stride = entryBytes === 8 ? 2 : 1;
  }

  /** Says whether an entry is present. Making a bigint of each entry first takes three times as long. */
  isPresent(index: number): boolean {
    return (this.#low[index * this.#stride]! & this.#presentBits) !== 0;
  }

  /** Says whether all bits of an entry are clear. */
  isZero(index: number): boolean {
    const at = index * this.#stride;
    return this.#low[at] === 0 && (this.#wide === null || this.#low[at + 1] === 0);
  }

  /**
   * Whether an entry says what one of a later reading says, apart from what hardware sets. Comparing
   * bigints takes four times as long.
   */
  saysTheSame(index: number, later: TableEntries, laterIndex: number): boolean {
    const [at, other] = [index * this.#stride, laterIndex * this.#stride];
    return ((this.#low[at]! ^ later.#low[other]!) & ~this.#hardwareBits) === 0 &&
      (this.#wide === null || this.#low[at + 1] === later.#low[other + 1]);
  }

  /** An entry's bits. */
  raw(index: number): bigint {
    return this.#wide === null ? BigInt(this.#low[index]!) : this.#wide[index]!;
  }
}

/** A part of a table to read. */
export interface TablePart {
  /** The guest-physical address of the table. */
  readonly table: bigint;
  /** The first entry's index. */
  readonly first: number;
  /** The last entry's index. */
  readonly last: number;
}

/** 2 MiB of tables: those of KASAN's shadow and of ESPFIX, which recur thousands of times, are few. */
const MAX_KEPT = 512;

/**
 * Reads tables, each in one read, and keeps the last ones, since some tables serve many addresses. A
 * read that fails is a result: it says something of the guest.
 */
export class TableReader {
  readonly #memory: PhysicalMemory;
  readonly #layout: EntryLayout;
  readonly #signal: AbortSignal | undefined;
  readonly #kept = new Map<string, Promise<TableEntries | MemoryReadError>>();
  #reads = 0;

  /** Reads from a memory; the signal ends the reads that are under way. */
  constructor(memory: PhysicalMemory, layout: EntryLayout, signal?: AbortSignal) {
    this.#memory = memory;
    this.#layout = layout;
    this.#signal = signal;
  }

  /** How many reads the memory was asked for. */
  get reads(): number {
    return this.#reads;
  }

  /**
   * Reads a part of a table. May be called long before its result is awaited.
   *
   * @throws if the memory fails in another way than {@linkcode MemoryReadError}
   */
  read(part: TablePart): Promise<TableEntries | MemoryReadError> {
    const key = `${part.table}:${part.first}:${part.last}`;
    let entries = this.#kept.get(key);
    if (entries !== undefined) {
      this.#kept.delete(key); // and to the end, among the latest used
    } else {
      entries = this.#ask(part);
      // Whoever awaits it gets the error; one who has stopped listing does not want it any more.
      entries.catch(() => this.#kept.delete(key));
      const [oldest] = this.#kept.keys();
      if (this.#kept.size >= MAX_KEPT) this.#kept.delete(oldest!);
    }
    this.#kept.set(key, entries);
    return entries;
  }

  async #ask({ table, first, last }: TablePart): Promise<TableEntries | MemoryReadError> {
    this.#reads++;
    const { entryBytes } = this.#layout;
    const address = table + BigInt(first * entryBytes);
    const options = this.#signal ? { signal: this.#signal } : {};
    try {
      const lengthBytes = (last - first + 1) * entryBytes;
      const bytes = await this.#memory.read(address, lengthBytes, options);
      return new TableEntries(bytes, this.#layout);
    } catch (error) {
      if (error instanceof MemoryReadError) return error;
      throw error;
    }
  }
}
