/** What one record of the patch says: that an entry is about to be cleared, or has been. */
export type VfioLine =
  | { readonly verb: "clearing" | "cleared"; readonly address: bigint; readonly entry: bigint }
  /** It begins like one, but cannot be read. */
  | { readonly verb: "unreadable"; readonly problem: string };

/**
 * The record's first words. `prctl(PR_SET_NAME)` gives any program a name of 15 bytes, with which the
 * kernel begins the record of its crash (`NAME[84]: segfault at …`): these are 25 and more.
 */
const WORDS = /^VFIO: (?:Clearing|Successfully cleared) _PAGE_USER(?!\w)/;
const FORMAT =
  /^VFIO: (?:(Clearing)|Successfully cleared) _PAGE_USER at vaddr (0x[\da-f]+), (old|new) PTE: (0x[\da-f]+)$/i;

/** The end of user memory with five levels: no process has anything beyond. */
const USER_END = 1n << 56n;
const MAX_DIGITS = 2 + 16;
const QUOTED_CHARACTERS = 100;

/**
 * Reads one record's text: the whole of it must be what the patch writes, from its beginning to the end
 * of its first line. Null for a record of anything else.
 */
export function parseVfioLine(text: string): VfioLine | null {
  if (!WORDS.test(text)) return null;
  const end = text.indexOf("\n");
  const line = end < 0 ? text : text.slice(0, end);
  const unreadable = (problem: string): VfioLine => ({
    verb: "unreadable",
    problem: `${problem}: ${JSON.stringify(line.slice(0, QUOTED_CHARACTERS))}`,
  });
  const found = line.length > 200 ? null : line.match(FORMAT);
  if (!found) return unreadable("the record is not in the patch's format");
  const [, clearing, which, ...numbers] = [found[0], found[1], found[3], found[2]!, found[4]!];
  if ((which === "old") !== (clearing !== undefined)) {
    return unreadable("the record is not in the patch's format");
  }
  if (numbers.some((digits) => digits.length > MAX_DIGITS)) {
    return unreadable("the record has a number of more than 64 bits");
  }
  const [address, entry] = numbers.map(BigInt) as [bigint, bigint];
  if (address >= USER_END) return unreadable("the record's address is not a user address");
  return { verb: clearing ? "clearing" : "cleared", address, entry };
}
