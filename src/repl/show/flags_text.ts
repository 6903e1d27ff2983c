import type { EntryFlags, PageTableEntry } from "../../translate/entry.ts";

/** The flags beside the rights, in the order in which they are shown. */
const OTHER_FLAGS: readonly (readonly [string, string])[] = [
  ["accessed", "A"],
  ["dirty", "D"],
  ["global", "G"],
  ["pageSize", "PS"],
  ["pat", "PAT"],
  ["cacheDisable", "PCD"],
  ["writeThrough", "PWT"],
];

/** RISC-V's bits, in the order of its specification. */
const LETTERS: readonly (readonly [string, string])[] = [
  ...[["present", "V"], ["readable", "R"], ["writable", "W"], ["executable", "X"]] as const,
  ...[["user", "U"], ["global", "G"], ["accessed", "A"], ["dirty", "D"]] as const,
];

/** All bits by their letters, where reading is a right of its own: `V R W - U - A D`. */
function lettersText(flags: EntryFlags): string {
  const others = flags.napot ? ["N"] : [];
  return [...LETTERS.map(([flag, letter]) => flags[flag] ? letter : "-"), ...others].join(" ");
}

/**
 * Writes an entry's flags: what it allows in fixed places (`U` user, `W` write, `X` execute, `-` where
 * it does not; for devices `R` and `W`), then the others that are set.
 */
export function flagsText(entry: PageTableEntry): string {
  if (entry.kind === "notPresent") return "not present";
  const { flags, hasRights } = entry;
  if (flags.readable !== undefined && flags.user !== undefined) return lettersText(flags);
  const [user, writable] = [flags.user || !hasRights, flags.writable || !hasRights];
  const executable = flags.executable ?? !flags.executeDisable;
  // A device's tables know neither user code nor execution.
  const letters = flags.readable !== undefined
    ? [flags.readable ? "R" : "-", flags.writable ? "W" : "-"]
    : [user ? "U" : "-", writable ? "W" : "-", executable ? "X" : "-"];
  const rights = letters.join(" ");
  const others = OTHER_FLAGS.filter(([flag]) => flags[flag]).map(([, name]) => name);
  return [rights, others.join(" ")].join("  ").trimEnd();
}
