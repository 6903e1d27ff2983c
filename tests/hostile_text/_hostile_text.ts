import { assert, assertEquals } from "@std/assert";

/**
 * What a name, a log line, a version or a path may hold to deceive whoever reads it: escapes of the
 * terminal (SGR, clearing it, its title, C1's CSI), bells, lines of its own, and what turns or hides
 * text. There is no `/` and no NUL in it, so that a file or a process can be called so.
 */
export const HOSTILE = "\x1b[31m\x1b[2J\x1b]0;owned\x07\x9b2J\x85\r\nok 99 - forged\t\x7f\b" +
  "\u202e\u2066\u200b\u200d\ufeff\u00ad\u2028\u2029\u3164\u2800\u{e0041}\u{fff0}\ud800\\x1b\\";

/** The same as far as UTF-8 can write it: no half of a surrogate pair. */
export const HOSTILE_UTF8: string = HOSTILE.toWellFormed();

/** All that a line of text may hold. Independent of what escapes: names each kind by its code points. */
const FORBIDDEN: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x09],
  [0x0b, 0x1f],
  [0x7f, 0xa0],
  [0xad, 0xad],
  [0x034f, 0x034f],
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x1680, 0x1680],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x2000, 0x200f],
  [0x2028, 0x202f],
  [0x205f, 0x206f],
  [0x2800, 0x2800],
  [0x3000, 0x3000],
  [0x3164, 0x3164],
  [0xd800, 0xf8ff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0xfffe, 0xffff],
  [0xe0000, 0x10ffff],
];

/** The first character of a text that may not reach a terminal, with its place; null if there is none. */
export function forbiddenIn(text: string): string | null {
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (FORBIDDEN.some(([first, last]) => code >= first && code <= last)) {
      return `U+${code.toString(16)} in ${JSON.stringify(text)}`;
    }
  }
  return null;
}

/** Checks that nothing of a hostile text acts in another one; `lines` is how many there may be. */
export function assertClean(text: string, what: string, lines = Infinity): void {
  assertEquals(forbiddenIn(text), null, what);
  assert(text.split("\n").length <= lines, `${what} is more than ${lines} lines: ${text}`);
  const forged = text.split("\n").find((line) => line.startsWith("ok 99"));
  assertEquals(forged, undefined, `${what} has a line of the guest's own making`);
}

/** Checks that, and that the hostile text was there at all. */
export function assertEscaped(text: string, what: string, lines = Infinity): void {
  assertClean(text, what, lines);
  assert(text.includes("owned"), `${what} does not show what it was given: ${text}`);
}
