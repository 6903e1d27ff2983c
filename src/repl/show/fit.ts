/** What paints text on a terminal: it takes no room. */
// deno-lint-ignore no-control-regex -- that is what colours are made of
const PAINT = /\x1b\[[0-9;]*m/g;

/** A line of a table has columns: wide gaps, or several of two blanks. */
const TABLE_LINE = /\S {4,}\S|\S {2,}\S.*\S {2,}\S/;

/** A cell, words with single blanks between them, with the blanks that fill its column. */
const CELL = /^ *[^ ]+(?: [^ ]+)* *|[^ ]+(?: [^ ]+)* */g;

/** So many blanks stand between two columns. */
const GAP = 2;

/** What the rest of a folded line is moved in by. */
const INDENT = "    ";

/**
 * Folds the lines of tables that are wider than the terminal between their columns, the rest moved in
 * below: wrapped by the terminal, the columns could not be told apart any more. A word that is wider
 * than a line is cut with a mark. Other lines are left to the terminal.
 */
export function fitTables(text: string, columns: number): string {
  return text.split("\n").flatMap((line) => {
    const bare = bareOf(line);
    return bare.length > columns && TABLE_LINE.test(bare) ? fold(line, columns) : [line];
  }).join("\n");
}

/** The same for prose too, whose words are kept whole. */
export function fitText(text: string, columns: number): string {
  return text.split("\n").flatMap((line) =>
    bareOf(line).length > columns ? fold(line, columns) : [line]
  ).join("\n");
}

function fold(line: string, columns: number): string[] {
  const lines: string[] = [];
  let current = "";
  const add = (text: string, room: number) => {
    if (current === "" || bareOf(current).length + room <= columns) {
      current += text;
      return;
    }
    lines.push(current.trimEnd());
    current = INDENT + text;
  };
  for (const [cell] of line.matchAll(CELL)) {
    const width = bareOf(cell).length;
    // By its column's width and not its own, so that all rows are folded at the same places.
    const room = cell.endsWith(" ") ? width - GAP : width;
    // Text that needs more than a line begins where the others end.
    if (INDENT.length + room <= columns) add(cell, room);
    else {for (const word of cell.match(/^ *[^ ]+ *|[^ ]+ */g)!) {
        add(word, bareOf(word).trimEnd().length);
      }}
  }
  return [...lines, current].map((text) => cut(text.trimEnd(), columns));
}

function bareOf(text: string): string {
  return text.replaceAll(PAINT, "");
}

function cut(line: string, columns: number): string {
  if (bareOf(line).length <= columns) return line;
  let kept = "";
  let room = columns - 1;
  // What paints stays, so that no colour runs on.
  for (const part of line.split(new RegExp(`(${PAINT.source})`))) {
    if (part.startsWith("\x1b[")) kept += part;
    else {
      kept += part.slice(0, room);
      room -= Math.min(room, part.length);
    }
  }
  return `${kept}…`;
}
