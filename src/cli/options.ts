import { parseArgs } from "@std/cli/parse-args";
import { InvalidArgumentError } from "../core/errors.ts";
import { nearest } from "../core/options.ts";
import { addressNotation, formatAddress, parseAddress } from "../core/address.ts";

/** An option that is given or not: `--json`. */
export interface FlagOption {
  /** Tells it from an option with a value. */
  readonly kind: "flag";
  /** What it does, in a few words. */
  readonly purpose: string;
}

/** An option with a value: `--cpu 1`. */
export interface ValueOption<T> {
  /** Tells it from a flag. */
  readonly kind: "value";
  /** What stands for the value in the usage text: `N`. */
  readonly placeholder: string;
  /** What it does, in a few words. */
  readonly purpose: string;
  /** May the value be empty, as the name of a process may be? */
  readonly mayBeEmpty?: true;
  /** Turns the text into the value; throws an {@linkcode InvalidArgumentError} if it is none. */
  parse(text: string): T;
}

/** The options of a command, by name. */
export type OptionSpecs = Readonly<Record<string, FlagOption | ValueOption<unknown>>>;

/** The values of options: true or false for a flag, undefined for a value that was not given. */
export type OptionValues<S> = {
  readonly [K in keyof S]: S[K] extends ValueOption<infer T> ? T | undefined : boolean;
};

/** Describes a flag. */
export function flag(purpose: string): FlagOption {
  return { kind: "flag", purpose };
}

/** Describes an option whose value is made from its text. */
export function value<T>(
  placeholder: string,
  purpose: string,
  parse: (text: string) => T,
): ValueOption<T> {
  return { kind: "value", placeholder, purpose, parse };
}

/** Describes an option whose value is one of a few words. */
export function oneOf<T extends string>(words: readonly T[], purpose: string): ValueOption<T> {
  return value(words.join("|"), purpose, (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) {
      throw new InvalidArgumentError(`it must be ${words.join(" or ")}, not "${text}"`, text);
    }
    return word;
  });
}

/** Describes an option whose value is a whole number in a range. */
export function wholeNumber(
  placeholder: string,
  purpose: string,
  lowest = 0,
  highest: number = Number.MAX_SAFE_INTEGER,
): ValueOption<number> {
  return value(placeholder, purpose, (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(number >= lowest && number <= highest)) {
      throw new InvalidArgumentError(
        `it must be a whole number from ${lowest} to ${highest}, not "${text}"`,
        text,
      );
    }
    return number;
  });
}

/**
 * Reads a command line. Options may stand anywhere; `--` ends them.
 *
 * @throws {InvalidArgumentError} for an unknown option, a missing or an unusable value
 */
export function parseCommandLine<S extends OptionSpecs>(
  args: readonly string[],
  specs: S,
): { positionals: string[]; options: OptionValues<S> } {
  const names = Object.keys(specs);
  const flags = names.filter((name) => specs[name]!.kind === "flag");
  const values = names.filter((name) => specs[name]!.kind === "value");
  const { rest, empty } = takeEmpty(args, specs);
  const parsed = parseArgs(rest, {
    boolean: flags,
    string: ["_", ...values],
    unknown: (text, key) => {
      if (key !== undefined) throw unknownOption(text, names);
    },
  });
  const options: Record<string, unknown> = {};
  for (const name of names) {
    const spec = specs[name]!;
    const given = parsed[name];
    options[name] = spec.kind === "flag"
      ? given === true
      : empty.includes(name)
      ? spec.parse("")
      : valueOf(name, spec, given);
  }
  return { positionals: parsed._.map(String), options: options as OptionValues<S> };
}

/** Takes out the options whose value is there and empty, which the parser takes for missing: `--comm ""`. */
function takeEmpty(
  args: readonly string[],
  specs: OptionSpecs,
): { rest: string[]; empty: string[] } {
  const [rest, empty]: [string[], string[]] = [[], []];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return { rest: [...rest, ...args.slice(i)], empty };
    const name = arg.replace(/^--/, "").replace(/=$/, "");
    const spec = arg.startsWith("--") ? specs[name] : undefined;
    const isEmpty = arg.endsWith("=") || args[i + 1] === "";
    if (spec?.kind !== "value" || !spec.mayBeEmpty || !isEmpty) {
      rest.push(arg);
      continue;
    }
    empty.push(name);
    if (!arg.endsWith("=")) i++;
  }
  return { rest, empty };
}

function valueOf(name: string, spec: ValueOption<unknown>, given: unknown): unknown {
  if (given === undefined) return undefined;
  if (given === "") {
    throw new InvalidArgumentError(`--${name} needs a value: ${spec.placeholder}`, given);
  }
  try {
    return spec.parse(String(given));
  } catch (cause) {
    if (!(cause instanceof InvalidArgumentError)) throw cause;
    throw new InvalidArgumentError(`--${name}: ${cause.message}`, given, { cause });
  }
}

/** An option as it is typed: a single letter has one dash. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

function unknownOption(text: string, names: readonly string[]): InvalidArgumentError {
  const known = names.map(dashed).join(", ");
  const meant = nearest(text.replace(/^--?|=.*/g, ""), names);
  const hint = meant === null ? "" : `: did you mean ${dashed(meant)}?`;
  const message = hint ? `${hint} The options are` : "; the options are";
  return new InvalidArgumentError(`Unknown option ${text}${message} ${known}`, text);
}

/**
 * Reads an address that a script's user typed. Digits that do not tell whether they are hexadecimal are
 * read as decimal, which is said on standard error.
 *
 * @throws {InvalidArgumentError} if the text is not an address
 *
 * @example Usage
 * ```ts
 * import { addressArgument } from "@pagewalk/pagewalk/cli";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(addressArgument("0x400000"), 0x400000n);
 * assertEquals(addressArgument("0000000000400000"), 0x400000n);
 * ```
 */
export function addressArgument(text: string): bigint {
  const address = parseAddress(text);
  // Below 10 both readings are the same.
  if (addressNotation(text) === "decimal" && address > 9n) {
    console.error(
      `note: ${text} was read as decimal, ${
        formatAddress(address)
      }: write 0x${text} for hexadecimal`,
    );
  }
  return address;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** The longest time that a timer of JavaScript waits. */
const MAX_MS = 2 ** 31 - 1;

/**
 * Reads a time such as `500ms`, `5s` or `2m`, in milliseconds.
 *
 * @throws {InvalidArgumentError} if it is none, or longer than 24 days
 *
 * @example Usage
 * ```ts
 * import { durationArgument } from "@pagewalk/pagewalk/cli";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(durationArgument("5s"), 5000);
 * ```
 */
export function durationArgument(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const milliseconds = unit === undefined ? NaN : Number(number) * UNITS[unit]!;
  if (milliseconds <= MAX_MS) return milliseconds;
  throw new InvalidArgumentError(
    `Not a time: "${text}"; write a number with its unit, such as 500ms, 5s or 2m`,
    text,
  );
}
