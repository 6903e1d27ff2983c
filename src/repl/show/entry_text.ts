import type { PageTableEntry } from "../../translate/entry.ts";
import type { Style } from "../../report/style.ts";
import { flagsText } from "./flags_text.ts";
import { groupHex } from "./group_hex.ts";

/** Writes one entry of a table on one line, its bits named. */
export function entryText(entry: PageTableEntry, style: Style): string {
  const at = `${entry.name}[${entry.index}] at ${groupHex(entry.address)}`;
  const leads = { page: " -> page ", table: " -> table ", notPresent: "" }[entry.kind];
  const reserved = entry.reservedBits
    ? style.bad(`  reserved bits ${groupHex(entry.reservedBits)}`)
    : "";
  return `${at}: ${style.value(groupHex(entry.raw, 16))}  ${flagsText(entry)}` +
    `${leads && leads + groupHex(entry.frame)}${reserved}`;
}
