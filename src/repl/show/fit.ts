/** What paints text on a terminal: it takes no room. */
// deno-lint-ignore no-control-regex -- that is what colours are made of
const PAINT = /\x1b\[[0-9;]*m/y;

/** A line of a table has columns: wide gaps, or several of two blanks. */
const TABLE_LINE = /\S {4,}\S|\S {2,}\S.*\S {2,}\S/;

/**
 * Cuts the lines of tables that are wider than the terminal, with a mark: wrapped, their columns could
 * not be told apart any more. Other lines are left to the terminal.
 */
export function fitTables(text: string, columns: number): string {
  return text.split("\n").map((line) => {
    const bare = line.replaceAll(new RegExp(PAINT.source, "g"), "");
    return bare.length > columns && TABLE_LINE.test(bare) ? cut(line, columns - 1) : line;
  }).join("\n");
}

function cut(line: string, room: number): string {
  let kept = "";
  let isPainted = false;
  for (let at = 0, used = 0; at < line.length;) {
    PAINT.lastIndex = at;
    const [paint] = PAINT.exec(line) ?? [];
    if (paint !== undefined) {
      kept += paint;
      isPainted = true;
      at += paint.length;
      continue;
    }
    if (used === room) break;
    kept += line[at++];
    used++;
  }
  return `${kept}${isPainted ? "\x1b[0m" : ""}…`;
}
