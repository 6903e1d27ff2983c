/**
 * Insertions into and replacements of parts of a text, made while a syntax tree is visited children
 * first. Of two insertions at one place, that of the outer node ends up outside.
 */
export class Edits {
  readonly #before = new Map<number, string[]>();
  readonly #after = new Map<number, string[]>();
  readonly #replaced = new Map<number, { end: number; text: string }>();

  /** Puts text before a node that starts at the position. */
  before(position: number, text: string): void {
    listAt(this.#before, position).unshift(text);
  }

  /** Puts text after a node that ends at the position. */
  after(position: number, text: string): void {
    listAt(this.#after, position).push(text);
  }

  /** Puts text around a node. */
  around(node: { start: number; end: number }, before: string, after: string): void {
    this.before(node.start, before);
    this.after(node.end, after);
  }

  /** Replaces the characters from `start` to `end`. Replacements do not overlap. */
  replace(start: number, end: number, text: string): void {
    this.#replaced.set(start, { end, text });
  }

  /** Returns the text with all edits made. */
  apply(source: string): string {
    let output = "";
    for (let at = 0; at <= source.length;) {
      output += (this.#after.get(at) ?? []).join("") + (this.#before.get(at) ?? []).join("");
      const replaced = this.#replaced.get(at);
      if (replaced) output += replaced.text;
      else output += source.charAt(at);
      at = replaced ? Math.max(replaced.end, at + 1) : at + 1;
    }
    return output;
  }
}

function listAt(lists: Map<number, string[]>, position: number): string[] {
  let list = lists.get(position);
  if (!list) lists.set(position, list = []);
  return list;
}
