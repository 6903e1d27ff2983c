import { ARCHITECTURES } from "../../arch/architectures.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import type { EntryBits } from "../../translate/entry_bits.ts";
import type { PageTableEntry } from "../../translate/entry.ts";
import type { Walk } from "../../translate/walk.ts";
import { rangeText } from "../../report/range_text.ts";
import type { Style } from "../../report/style.ts";
import type { GuestRangeVerdict } from "../../session/ranges.ts";
import { describeSource } from "../../session/table_choice.ts";
import type { WatchEvent } from "../../session/watch.ts";
import type { RangeVerdict } from "../../verify/range_verdict.ts";
import type { Verdict } from "../../verify/verdict.ts";
import { bitsText } from "./bits_text.ts";
import { entryText } from "./entry_text.ts";
import { hexdumpText } from "./memory_text.ts";
import { registersText } from "./registers_text.ts";
import { renderRows } from "./rows.ts";
import { verdictText } from "./verdict_text.ts";
import { walkText } from "./walk_text.ts";
import { watchText } from "./watch_text.ts";

/** Writes one kind of result for reading. */
export type Renderer<T> = (value: T, style: Style) => string;

/** A kind of result: the fields by which it is known, and how it is written. */
interface ResultKind {
  readonly fields: readonly string[];
  readonly render: Renderer<never>;
}

/** Makes a kind of result; the first whose fields a value has is taken. */
function kind<T extends object>(
  fields: readonly (string & keyof T)[],
  render: Renderer<T>,
): ResultKind {
  return { fields, render };
}

const KINDS: readonly ResultKind[] = [
  kind<Verdict>(["verdict", "reason", "walk"], verdictText),
  kind<RangeVerdict & Partial<GuestRangeVerdict>>(
    ["verdict", "firstFailure", "gaps"],
    (value) => rangeText(value, { source: value.source ? describeSource(value.source) : "given" }),
  ),
  kind<WatchEvent<Walk>>(["timeMs", "walk", "changes"], watchText),
  kind<Walk>(["outcome", "steps", "root"], walkText),
  kind<EntryBits>(["raw", "fields", "entryName"], bitsText),
  kind<PageTableEntry>(["raw", "flags", "frame", "kind"], entryText),
];

const bound = new WeakMap<object, (style: Style) => string>();

/**
 * Remembers how one result is to be written, for what cannot be told by its fields: an array of words
 * that came from an address, a table of vCPUs. The result itself is not changed.
 */
export function showAs<T extends object>(value: T, render: Renderer<T>): T {
  bound.set(value, (style) => render(value, style));
  return value;
}

/** Writes a result if it is of a known kind, else returns undefined. */
export function renderKnown(value: object, style: Style): string | undefined {
  const own = bound.get(value);
  if (own) return own(style);
  const rows = renderRows(value, style);
  if (rows !== undefined) return rows;
  if (value instanceof Uint8Array) return hexdumpText(value, 0n, style);
  const has = (fields: readonly string[]) => fields.every((field) => field in value);
  const known = KINDS.find(({ fields }) => has(fields));
  if (known !== undefined) return (known.render as Renderer<object>)(value, style);
  const names = ARCHITECTURES.map((each) => each.names).find(({ fields }) => has(fields));
  return names && registersText(value as GuestRegisters, names, style);
}
