/** Text as roff prints it: nothing in it is a request, an escape or a character that groff does not know. */
export function roff(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/[^\x20-\x7e]/gu, (character) => {
      return `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`;
    });
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Text in bold. */
export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** A paragraph with a term before it. */
export function tagged(term: string, text: string): string[] {
  return [".TP", bold(term), roff(text)];
}
