/** For each input that ran, the line that was typed for each line of its written form. */
const inputs: (readonly number[])[] = [];

/** Remembers where the lines of an input's written form come from. */
export function keepLines(input: number, lines: readonly number[]): void {
  inputs[input] = lines;
}

/** The line of an input that was typed for a line of its written form, counted from 1. */
export function typedLine(input: number, line: number): number {
  return inputs[input]?.[line] ?? line;
}
