/**
 * What may not reach a terminal, a log or a table as it is: control characters, what turns or hides
 * text (bidi marks, joiners, tags, fillers), every line and paragraph separator, every blank but the
 * common one, halves of surrogate pairs, and what Unicode has not assigned. `\p{C}` is Cc, Cf, Cs, Co
 * and Cn; `\p{DI}` is Default_Ignorable_Code_Point (Unicode's DerivedCoreProperties.txt); U+2800 is a
 * braille pattern without a dot. Made where it is needed first: that takes a millisecond, and most text is
 * plain.
 */
function unsafe(): RegExp {
  return /[\p{C}\p{DI}\u2800]|[^\S ]/gu;
}

/** A backslash that would be read as the start of an escape, or stands before one. */
function ambiguous(): RegExp {
  return /\\(?=[\\nrtxu]|[\p{C}\p{DI}\u2800]|[^\S ])/gu;
}

// Most text needs no more than one look.
const PLAIN_ASCII = /^[ -[\]-~]*$/;
const PRINTABLE_ASCII = /^[ -~]*$/;
const PRINTABLE_LINES = /^[\n -~]*$/;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** How wide a tab is, on every terminal that was not told otherwise. */
const TAB = 8;

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code > 0xffff) return `\\u{${hex}}`;
  return code > 0xff ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
}

/**
 * Writes text that comes from a guest, a peer, a file or a command line so that it may stand in a line
 * on a terminal: a character that could move the cursor, start another line, or turn or hide what stands
 * beside it becomes `\n`, `\x1b` or `\u202e`, as in JavaScript and as `ls` and `/proc` write names. A
 * backslash is doubled where it would be read as the start of such an escape, so that no two texts look
 * alike; elsewhere it stays.
 *
 * @example Usage
 * ```ts
 * import { escapeText } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(escapeText("\x1b[2Jsh\n"), "\\x1b[2Jsh\\n");
 * assertEquals(escapeText("dev-disk-by\\x2duuid"), "dev-disk-by\\\\x2duuid");
 * ```
 */
export function escapeText(text: string): string {
  if (PLAIN_ASCII.test(text)) return text;
  return text.replace(ambiguous(), "\\\\").replace(unsafe(), escapeCharacter);
}

/**
 * Writes a sentence that foreign text may stand in, such as an error's message, so that it is one line.
 * Unlike {@linkcode escapeText} it leaves backslashes alone, so that a sentence which is part of another
 * is not escaped twice.
 *
 * @example Usage
 * ```ts
 * import { escapeMessage } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const once = escapeMessage("No process is called \x1b[31mtarget");
 * assertEquals(once, "No process is called \\x1b[31mtarget");
 * assertEquals(escapeMessage(once), once);
 * ```
 */
export function escapeMessage(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text.replace(unsafe(), escapeCharacter);
}

/**
 * Writes text of several lines, such as a monitor's reply, so that its line breaks are all that reaches
 * the terminal: the rest is as {@linkcode escapeText} does it, tabs become blanks up to the next column
 * that divides by 8.
 *
 * @example Usage
 * ```ts
 * import { escapeLines } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(escapeLines("LVT0\t 0x8700\r\nLVT1\x07"), "LVT0     0x8700\nLVT1\\x07");
 * ```
 */
export function escapeLines(text: string): string {
  return text.split(/\r?\n/).map(escapeLine).join("\n");
}

/** Writes one line of such text: without a line break, and with its tabs as blanks. */
export function escapeLine(line: string): string {
  if (!line.includes("\t")) return escapeText(line);
  return line.split("\t").reduce(
    (before, part, i) =>
      i === 0
        ? escapeText(part)
        : before + " ".repeat(TAB - before.length % TAB) + escapeText(part),
    "",
  );
}

/**
 * Writes text as it stands within a string of JavaScript: between these quotes it is this text and ends
 * nothing.
 */
export function escapeForString(text: string, quote: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`)
    .replace(unsafe(), escapeCharacter);
}

/**
 * Writes JSON so that it may stand on a terminal: `JSON.stringify` escapes the control characters of
 * ASCII alone. What it says stays the same.
 */
export function escapeForJson(json: string): string {
  if (PRINTABLE_LINES.test(json)) return json;
  return json.replace(unsafe(), (character) => {
    // Between values stand line breaks and blanks only, and within texts none.
    if (character === "\n") return character;
    return character.split("").map((unit) =>
      `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
    ).join("");
  });
}

/** Says whether a text holds something that {@linkcode escapeLines} would not let through. */
export function hasUnsafe(text: string): boolean {
  return !PRINTABLE_LINES.test(text) && text.replaceAll("\n", "").search(unsafe()) >= 0;
}
