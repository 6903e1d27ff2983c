import type { EntryFlag } from "../../arch/x86/bit_fields.ts";
import type { PageTableEntry } from "../../arch/x86/entry.ts";
import { rightsOf } from "../../arch/x86/rights.ts";

/** The flags beside the rights, in the order in which they are shown, by the SDM's names. */
const OTHER_FLAGS: readonly (readonly [EntryFlag, string])[] = [
  ["accessed", "A"],
  ["dirty", "D"],
  ["global", "G"],
  ["pageSize", "PS"],
  ["pat", "PAT"],
  ["cacheDisable", "PCD"],
  ["writeThrough", "PWT"],
];

/**
 * Writes an entry's flags: what it allows in fixed places (`U` user, `W` write, `X` execute, `-` where
 * it does not), then the others that are set.
 */
export function flagsText(entry: PageTableEntry): string {
  if (entry.kind === "notPresent") return "not present";
  const { user, writable, executable } = rightsOf(entry);
  const rights = [user ? "U" : "-", writable ? "W" : "-", executable ? "X" : "-"].join(" ");
  const others = OTHER_FLAGS.filter(([flag]) => entry.flags[flag]).map(([, name]) => name);
  return [rights, others.join(" ")].join("  ").trimEnd();
}
