/** A part of the line as it was typed. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Code to run: made of text, of parts of the line, and of other code. */
export type Code = string | Span | readonly Code[];

/** Puts code together: a template of text, numbers and other code. */
export function code(texts: TemplateStringsArray, ...parts: (Code | number)[]): Code {
  const all: Code[] = [texts[0]!];
  parts.forEach((part, i) => {
    all.push(typeof part === "number" ? String(part) : part, texts[i + 1]!);
  });
  return all;
}

/** Joins several pieces of code. */
export function join(codes: readonly Code[], separator = ""): Code {
  return separator === ""
    ? codes
    : codes.flatMap((each, i) => i === 0 ? [each] : [separator, each]);
}

/** Code as text, and where its lines come from. */
export interface Assembled {
  readonly text: string;
  /** For each line of the text, counted from 1, the line that was typed. */
  readonly lines: readonly number[];
}

/** Writes code out. */
export function assemble(parts: Code, source: string): Assembled {
  let text = "";
  const lines: number[] = [0, 0];
  const typedLine = lineCounter(source);
  for (const part of piecesOf(parts)) {
    if (typeof part === "string") {
      if (part.includes("\n")) { for (const _ of part.matchAll(/\n/g)) lines.push(lines.at(-1)!); }
      text += part;
      continue;
    }
    let line = typedLine(part.start);
    lines[lines.length - 1] ||= line;
    const typed = source.slice(part.start, part.end);
    for (const _ of typed.matchAll(/\n/g)) lines.push(++line);
    text += typed;
  }
  return { text, lines };
}

function* piecesOf(written: Code): Generator<string | Span> {
  if (typeof written === "string" || "start" in written) yield written;
  else for (const part of written) yield* piecesOf(part);
}

function lineCounter(source: string): (position: number) => number {
  const starts = [0, ...Array.from(source.matchAll(/\n/g), ({ index }) => index + 1)];
  return (position) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= position) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
