const texts = new Set<string>();

/**
 * Remembers a text of the prompt's own, such as help's, so that it is printed with its colours. Only a
 * few fixed texts may be given to it: it forgets none.
 */
export function ownText(text: string): string {
  texts.add(text);
  return text;
}

/** Says whether a text is one of the prompt's own. */
export function isOwnText(text: string): boolean {
  return texts.has(text);
}
