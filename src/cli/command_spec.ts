import type { OptionSpecs } from "./options.ts";

/** An argument of a command that has its place instead of a name. */
export interface Positional {
  /** What stands for it in the usage text. */
  readonly name: string;
  /** What it is, in a few words. */
  readonly purpose: string;
  /** May it be left out? */
  readonly optional?: boolean;
  /** May it be given any number of times? One of a command may, in any place. */
  readonly repeated?: boolean;
  /** Does it take words with one dash too, as monitor commands have them? Only the last one may. */
  readonly takesDashes?: boolean;
  /** Is it where a guest is? Then the permissions in the usage text are those that it takes. */
  readonly isEndpoint?: boolean;
  /** The words that it may be, if it is one of a few. */
  readonly words?: readonly string[];
  /** The option that, when given, stands in its place. */
  readonly orOption?: string;
}

/** What a command is, for reading its arguments and for its usage text. */
export interface CommandSpec<S extends OptionSpecs> {
  /** The script's file name. */
  readonly name: string;
  /** What it does, in one sentence. */
  readonly purpose: string;
  /** The arguments that have a place. */
  readonly positionals: readonly Positional[];
  /** The options, by name. */
  readonly options: S;
  /**
   * The permissions that it needs besides those of its endpoints, as flags of `deno run`.
   *
   * @default none
   */
  readonly permissions?: string;
  /** Command lines to copy, without `deno run` and the permissions. */
  readonly examples: readonly string[];
  /** What a user may want to know besides: paragraphs below the options. */
  readonly notes?: readonly string[];
  /** The exit codes that are not 0 or 3, by number. */
  readonly exits?: Readonly<Record<number, string>>;
}

/** The argument that the word at a place of a command line is, of so many words. */
export function positionalAt(
  positionals: readonly Positional[],
  place: number,
  count: number,
): Positional | undefined {
  const repeated = positionals.findIndex((each) => each.repeated);
  if (repeated < 0 || place < repeated) return positionals[place];
  const fromEnd = count - place;
  return fromEnd < positionals.length - repeated
    ? positionals[positionals.length - fromEnd]
    : positionals[repeated];
}
