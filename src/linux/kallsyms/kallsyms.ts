import { type AddressLike, parseAddress } from "../../core/address.ts";
import { KernelFormatError } from "../errors.ts";
import { type Reader, viewOf } from "../reader.ts";
import { decodeMarkers } from "./_shapes.ts";
import {
  decodeNames,
  decodeTokens,
  type SymbolName,
  TOKEN_TABLE_BYTES,
  type Tokens,
} from "./names.ts";
import { BLOCK_SYMBOLS, type KallsymsTables, markerCount } from "./tables.ts";

/** A symbol of the kernel, as `/proc/kallsyms` lists it. */
export interface KernelSymbol extends SymbolName {
  /** Its virtual address; for data of each CPU, the offset within that CPU's area. */
  readonly address: bigint;
  /** The module that it belongs to; absent for the kernel's own. */
  readonly module?: string;
}

/** The symbol that an address belongs to. */
export interface SymbolAt extends KernelSymbol {
  /** The distance from the symbol to the address, in bytes. */
  readonly offset: number;
}

/** How far from the last symbol an address still counts as belonging to it. */
const FARTHEST_OFFSET = 16 * 1024 * 1024;

/**
 * The symbols of a kernel, read out of it as they are asked for. They do not change while it runs, so
 * what was read is kept. Modules' symbols are not among them.
 */
export class Kallsyms {
  /** Where the tables lie. */
  readonly tables: KallsymsTables;
  readonly #reader: Reader;
  readonly #blocks = new Map<number, Promise<SymbolName[]>>();
  #decoding: Promise<{ tokens: Tokens; markers: Uint32Array }> | null = null;
  #all: Promise<KernelSymbol[]> | null = null;
  #byName: Map<string, KernelSymbol> | null = null;

  /** Reads symbols through a reader, from tables that were located before. */
  constructor(reader: Reader, tables: KallsymsTables) {
    this.#reader = reader;
    this.tables = tables;
  }

  /**
   * Finds a symbol by its name; null if the kernel has none. Of several with the same name, any one.
   *
   * @throws {KernelFormatError} if the tables hold garbage
   */
  async symbol(name: string): Promise<KernelSymbol | null> {
    if (this.tables.seqs === null) {
      const all = await this.all();
      // The first of several, as the kernel itself finds it.
      this.#byName ??= new Map(all.toReversed().map((symbol) => [symbol.name, symbol]));
      return this.#byName.get(name) ?? null;
    }
    let low = 0;
    let high = this.tables.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const index = await this.#numberAt(this.tables.seqs, middle);
      const found = await this.#name(index);
      const order = compareBytes(found.name, name);
      if (order === 0) return { ...found, address: await this.#address(index) };
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return null;
  }

  /**
   * Finds the symbol that an address belongs to: the last that begins at or before it. Of several that
   * begin there, the first. Null outside the kernel's image.
   *
   * @throws {KernelFormatError} if the tables hold garbage
   */
  async symbolAt(address: AddressLike): Promise<SymbolAt | null> {
    const target = parseAddress(address);
    // The lowest index whose address is above the target; then the lowest with the one before.
    const after = await this.#firstAbove(target);
    if (after === 0) return null;
    const begin = await this.#address(after - 1);
    const offset = target - begin;
    if (offset > FARTHEST_OFFSET || begin >> 63n === 0n) return null;
    const first = begin === 0n ? 0 : await this.#firstAbove(begin - 1n);
    const name = await this.#name(first);
    return { ...name, address: begin, offset: Number(offset) };
  }

  /**
   * Reads all symbols, in address order: some megabytes, once.
   *
   * @throws {KernelFormatError} if the tables hold garbage
   */
  all(): Promise<KernelSymbol[]> {
    return this.#all ??= this.#readAll();
  }

  async #readAll(): Promise<KernelSymbol[]> {
    const { count, names, namesBytes, offsets } = this.tables;
    const { tokens } = await this.#decoded();
    const decoded = decodeNames(await this.#reader.read(names, namesBytes), count, tokens);
    const view = viewOf(await this.#reader.read(offsets, count * 4));
    return decoded.map((name, i) => ({
      ...name,
      address: addressOf(this.tables, i, view.getInt32(i * 4, true)),
    }));
  }

  async #firstAbove(target: bigint): Promise<number> {
    let low = 0;
    let high = this.tables.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (await this.#address(middle) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async #address(index: number): Promise<bigint> {
    const bytes = await this.#reader.read(this.tables.offsets + BigInt(index * 4), 4);
    return addressOf(this.tables, index, viewOf(bytes).getInt32(0, true));
  }

  async #numberAt(seqs: bigint, place: number): Promise<number> {
    const bytes = await this.#reader.read(seqs + BigInt(place * 3), 3);
    const index = bytes[0]! << 16 | bytes[1]! << 8 | bytes[2]!;
    if (index >= this.tables.count) {
      throw new KernelFormatError("kallsyms", `symbol ${index} of ${this.tables.count}`, seqs);
    }
    return index;
  }

  async #name(index: number): Promise<SymbolName> {
    const block = Math.floor(index / BLOCK_SYMBOLS);
    let names = this.#blocks.get(block);
    if (!names) {
      names = this.#readBlock(block);
      this.#blocks.set(block, names);
    }
    return (await names)[index % BLOCK_SYMBOLS]!;
  }

  async #readBlock(block: number): Promise<SymbolName[]> {
    const { count, names, namesBytes } = this.tables;
    const { tokens, markers } = await this.#decoded();
    const start = markers[block]!;
    const end = markers[block + 1] ?? namesBytes;
    if (end <= start || end > namesBytes) {
      throw new KernelFormatError("kallsyms", `marker ${block} points outside the names`);
    }
    const bytes = await this.#reader.read(names + BigInt(start), end - start);
    return decodeNames(bytes, Math.min(BLOCK_SYMBOLS, count - block * BLOCK_SYMBOLS), tokens);
  }

  #decoded(): Promise<{ tokens: Tokens; markers: Uint32Array }> {
    return this.#decoding ??= this.#decode();
  }

  async #decode(): Promise<{ tokens: Tokens; markers: Uint32Array }> {
    const { count, markers, tokenTable } = this.tables;
    const found = decodeTokens(await this.#reader.read(tokenTable, TOKEN_TABLE_BYTES));
    if (!found) throw new KernelFormatError("kallsyms", "no token table", tokenTable);
    const places = decodeMarkers(
      await this.#reader.read(markers, markerCount(count) * 4),
      count,
    );
    if (!places) throw new KernelFormatError("kallsyms", "the markers do not ascend", markers);
    return { tokens: found.tokens, markers: places };
  }
}

/** What an offset means: kernel/kallsyms.c, kallsyms_sym_address. */
function addressOf(tables: KallsymsTables, index: number, offset: number): bigint {
  switch (tables.offsetKind) {
    case "percpu":
      return offset >= 0 ? BigInt(offset) : tables.relativeBase - 1n - BigInt(offset);
    case "base":
      return BigInt.asUintN(64, tables.relativeBase + BigInt(offset >>> 0));
    case "self":
      return BigInt.asUintN(64, tables.offsets + BigInt(index * 4) + BigInt(offset));
  }
}

/** strcmp: the kernel sorts by bytes. Names are Latin-1 here, so that characters are bytes. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
