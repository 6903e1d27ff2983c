import { formatAddress } from "../core/address.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { type AddressRange, parseRange } from "../translate/address_range.ts";
import { NoTablesError } from "../translate/no_tables.ts";
import {
  type AddressInterval,
  type AddressSpan,
  intervalIn,
  type Regime,
  whyNoTables,
} from "../translate/regime.ts";
import { TableReader } from "../translate/table_reader.ts";
import { xv6EntryLine, xv6Head } from "./xv6_text.ts";

/** Each has up to 512 lines, and a damaged one may lead to itself. xv6's own take a hundred. */
const MAX_TABLES = 4096;

/** What is listed, and how much of it. */
export interface Xv6TablesOptions extends ReadOptions {
  /** Only entries that serve these addresses; all, if left out. */
  readonly range?: AddressRange;
  /** How many tables are read at the most; the last line says if there are more. @default {4096} */
  readonly maxTables?: number;
}

/**
 * Lists all valid entries of an address space in the form of xv6's course (`vmprint`), the tables that an
 * entry leads to behind it.
 *
 * @returns whether that was all: false where a table could not be read, or there were more
 * @throws {NoTablesError} if the regime has no tables
 *
 * @example Usage
 * ```ts
 * import { riscvRegime } from "@pagewalk/pagewalk";
 * import { xv6Tables } from "@pagewalk/pagewalk/report";
 * import { ramRange, RiscvPageTables, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
 * const tables = new RiscvPageTables("Sv39", memory, 0x8010_0000n);
 * tables.map(0x1000n, 0x8080_0000n, 0, { bits: "VRWUAD" });
 * const lines = await Array.fromAsync(xv6Tables(memory, riscvRegime("Sv39", tables.root)));
 * assertEquals(lines.at(-1), " .. .. ..1: pte 0x00000000202000d7 pa 0x0000000080800000");
 * ```
 */
export async function* xv6Tables(
  memory: PhysicalMemory,
  regime: Regime,
  options: Xv6TablesOptions = {},
): AsyncGenerator<string, boolean> {
  const { range = {}, maxTables = MAX_TABLES, signal } = options;
  const why = whyNoTables(regime);
  if (why) throw new NoTablesError(why);
  const wanted = parseRange(range);
  yield xv6Head(regime.root);
  const state = { left: maxTables, isWhole: true };
  for (const span of regime.spans) {
    const interval = intervalIn(wanted, span);
    if (interval === null) continue;
    const reader = new TableReader(memory, span, signal);
    const top = { table: span.table ?? regime.root, depth: 0, base: 0n };
    yield* tableLines({ reader, span, interval, state }, top);
  }
  if (state.left < 0) yield "… more tables: the listing ended at its limit";
  return state.isWhole && state.left >= 0;
}

/** What stays the same in all tables of a span. */
interface Listed {
  readonly reader: TableReader;
  readonly span: AddressSpan;
  /** The addresses that are listed. */
  readonly interval: AddressInterval;
  readonly state: { left: number; isWhole: boolean };
}

/** A table, and the first address that it serves. */
interface ListedTable {
  readonly table: bigint;
  readonly depth: number;
  readonly base: bigint;
}

async function* tableLines(
  listed: Listed,
  { table, depth, base }: ListedTable,
): AsyncGenerator<string, void> {
  const { reader, span, interval, state } = listed;
  const decoder = span.levels[depth];
  if (!decoder || --state.left < 0) return;
  const { indexBits, shift } = decoder.format;
  const end = 2 ** indexBits - 1;
  const entries = await reader.read({ table, first: 0, last: end });
  if (entries instanceof MemoryReadError) {
    state.isWhole = false;
    yield `${" ..".repeat(depth + 1)}: ${formatAddress(table)} cannot be read`;
    return;
  }
  const indexOf = (address: bigint) => Number((address - base) >> BigInt(shift));
  const first = Math.max(0, indexOf(interval.first));
  const last = Math.min(end, indexOf(interval.last));
  for (let index = first; index <= last; index++) {
    const raw = entries.raw(index);
    if (decoder.kindOf(raw) === "notPresent") continue;
    const at = table + BigInt(index * span.entryBytes);
    const entry = decoder.decode(raw, at, index);
    yield xv6EntryLine(entry, depth);
    if (entry.kind !== "table" || entry.reservedBits !== 0n) continue;
    const next = base + (BigInt(index) << BigInt(shift));
    yield* tableLines(listed, { table: entry.frame, depth: depth + 1, base: next });
  }
}
