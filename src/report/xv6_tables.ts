import { formatAddress } from "../core/address.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import type { AddressSpan, Regime } from "../translate/regime.ts";
import { TableReader } from "../translate/table_reader.ts";
import { xv6EntryLine, xv6Head } from "./xv6_text.ts";

/** Every table costs a read; a damaged one may lead to itself. */
const MAX_TABLES = 131_072;

/**
 * Lists all valid entries of an address space in the form of xv6's course (`vmprint`), the tables that an
 * entry leads to behind it.
 *
 * @param options its `maxTables` bounds how many tables are read; the last line says if there are more
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
  options: ReadOptions & { readonly maxTables?: number } = {},
): AsyncGenerator<string, void> {
  yield xv6Head(regime.root);
  const state = { left: options.maxTables ?? MAX_TABLES };
  for (const span of regime.spans) {
    const reader = new TableReader(memory, span, options.signal);
    yield* tableLines(reader, span, regime.root, 0, state);
  }
  if (state.left < 0) yield "… more tables: raise --max-tables";
}

async function* tableLines(
  reader: TableReader,
  span: AddressSpan,
  table: bigint,
  depth: number,
  state: { left: number },
): AsyncGenerator<string, void> {
  const decoder = span.levels[depth];
  if (!decoder || --state.left < 0) return;
  const last = 2 ** decoder.format.indexBits - 1;
  const entries = await reader.read({ table, first: 0, last });
  if (entries instanceof MemoryReadError) {
    yield `${" ..".repeat(depth + 1)}: ${formatAddress(table)} cannot be read`;
    return;
  }
  for (let index = 0; index <= last; index++) {
    const raw = entries.raw(index);
    if (decoder.kindOf(raw) === "notPresent") continue;
    const at = table + BigInt(index * span.entryBytes);
    const entry = decoder.decode(raw, at, index);
    yield xv6EntryLine(entry, depth);
    const leads = entry.kind === "table" && entry.reservedBits === 0n;
    if (leads) yield* tableLines(reader, span, entry.frame, depth + 1, state);
  }
}
