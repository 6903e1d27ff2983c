/** Text in colours, or plain: what a report is written with. */
export interface Style {
  /** Something as it should be. */
  good(text: string): string;
  /** Something as it should not be. */
  bad(text: string): string;
  /** A value to look at. */
  value(text: string): string;
  /** Something of less interest. */
  faint(text: string): string;
  /** A heading. */
  strong(text: string): string;
}

function same(text: string): string {
  return text;
}

/** No colours: for pipes and files, and where `NO_COLOR` is set. */
export const PLAIN: Style = { good: same, bad: same, value: same, faint: same, strong: same };

// ECMA-48 SGR codes: on, and the code that ends it.
function sgr(on: number, off: number): (text: string) => string {
  return (text) => `\x1b[${on}m${text}\x1b[${off}m`;
}

/** Colours of an ANSI terminal. */
export const COLOUR: Style = {
  good: sgr(32, 39),
  bad: sgr(31, 39),
  value: sgr(36, 39),
  faint: sgr(2, 22),
  strong: sgr(1, 22),
};

/**
 * Colours if standard output is a terminal and `NO_COLOR` is not set; asks for no permission.
 *
 * @example Usage
 * ```ts
 * import { styleForStdout } from "@pagewalk/pagewalk/report";
 *
 * console.log(styleForStdout().good("as it should be"));
 * ```
 */
export function styleForStdout(): Style {
  return Deno.stdout.isTerminal() && !Deno.noColor ? COLOUR : PLAIN;
}
