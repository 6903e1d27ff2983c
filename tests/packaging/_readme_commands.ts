/** A command that a README shows, and what it prints there. */
export interface ReadmeCommand {
  /** The line, as one types it. */
  line: string;
  /** The lines below it, in which "…" stands for any number of others; none if no output is shown. */
  output: string[];
}

/** The commands in a README's fenced blocks, in order: lines of `sh`, and those after `$` elsewhere. */
export function commandsOf(markdown: string): ReadmeCommand[] {
  const commands: ReadmeCommand[] = [];
  for (const [, language, block] of markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm)) {
    if (language === "ts" || language === "json") continue;
    for (const text of block!.trimEnd().split("\n")) {
      const prompted = /^\$ (.+)/.exec(text)?.[1];
      const line = language === "sh" ? text : prompted;
      if (line !== undefined && /^\w/.test(line)) commands.push({ line, output: [] });
      else if (prompted === undefined && /^\$ /m.test(block!)) commands.at(-1)?.output.push(text);
    }
  }
  return commands;
}

/** Returns the shown lines that a command did not print in this order. */
export function notPrinted(shown: readonly string[], printed: string): string[] {
  const lines = printed.trimEnd().split("\n");
  let [at, mayAnySkip] = [0, false];
  return shown.filter((line) => {
    if (line === "…") {
      mayAnySkip = true;
      return false;
    }
    const found = mayAnySkip ? lines.indexOf(line, at) : lines[at] === line ? at : -1;
    if (found < 0) return true;
    [at, mayAnySkip] = [found + 1, false];
    return false;
  });
}
