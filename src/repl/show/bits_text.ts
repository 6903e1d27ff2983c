import { describeNotPresent } from "../../translate/describe_not_present.ts";
import type { EntryBits } from "../../translate/entry_bits.ts";
import type { Style } from "../../report/style.ts";
import { type Cell, cell, columns, numberCell } from "./columns.ts";
import { groupHex } from "./group_hex.ts";

const KINDS = { notPresent: "not present", table: "points to a table", page: "maps a page" };

/** Writes every field of an entry on a line of its own, bit 0 first. */
export function bitsText(entry: EntryBits, style: Style): string {
  const rows = entry.fields.map(({ low, width, name, linuxName, value, meaning }): Cell[] => {
    const isSet = value !== 0n;
    const paint = isSet ? undefined : style.faint;
    return [
      numberCell(width === 1 ? `${low}` : `${low + width - 1}:${low}`, paint),
      cell(name, paint),
      cell(linuxName ?? "", paint),
      cell(width === 1 ? String(value) : groupHex(value), isSet ? style.value : style.faint),
      cell(meaning, paint),
    ];
  });
  const heads = ["bits", "name", "Linux", "value", "meaning"];
  const head = heads.map((text, i) =>
    i === 0 ? numberCell(text, style.faint) : cell(text, style.faint)
  );
  const kind = entry.notPresent
    ? describeNotPresent(entry.notPresent, groupHex)
    : KINDS[entry.kind];
  const title = `${entry.entryName} ${groupHex(entry.raw)} of ${entry.mode} paging`;
  return `${style.strong(title)}: ${kind}\n${columns([head, ...rows])}`;
}
