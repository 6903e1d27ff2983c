import { InvalidArgumentError } from "./errors.ts";

/** Says what a value must be, if it is not that; else null. */
export type OptionCheck = (value: unknown) => string | null;

/** The check of each key that an object of options may have. */
export type OptionShape<T> = { readonly [K in keyof Required<T>]: OptionCheck };

/**
 * Checks an object of options before it is used: keys that nobody reads are mistakes, and a value of the
 * wrong type would be taken for something else. A key whose value is undefined counts as left out.
 *
 * @param what what the options are, for messages: `the expectation`
 * @param instead what to write instead of keys for which the nearest known key is a wrong hint
 * @throws {InvalidArgumentError} if it is not an object, has a key that is not in the shape, or a value of the
 * wrong type
 */
export function checkOptions<T>(
  options: T,
  what: string,
  shape: OptionShape<T>,
  instead: Readonly<Record<string, string>> = {},
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const keys = Object.keys(shape).join(", ");
    throw new InvalidArgumentError(
      `${capital(what)} must be an object with keys of ${keys}: it is ${kindOf(options)}`,
      options,
    );
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(shape, key)) throw unknownKey(key, what, shape, options, instead);
    const wanted = value === undefined ? null : shape[key as keyof T](value);
    if (wanted === null) continue;
    throw new InvalidArgumentError(
      `${key} of ${what} must be ${wanted}: it is ${kindOf(value)}`,
      value,
    );
  }
}

/** The options that have a check in the shape: what is handed on to one that knows no others. */
export function onlyOf<T>(options: Partial<T> & object, shape: OptionShape<T>): Partial<T> {
  const known = Object.entries(options).filter(([key]) => Object.hasOwn(shape, key));
  return Object.fromEntries(known) as Partial<T>;
}

function unknownKey<T>(
  key: string,
  what: string,
  shape: OptionShape<T>,
  options: T,
  instead: Readonly<Record<string, string>>,
): InvalidArgumentError {
  const keys = Object.keys(shape);
  const meant = Object.hasOwn(instead, key) ? instead[key]! : nearest(key, keys);
  const hint = meant === null ? "" : `: did you mean ${meant}?`;
  return new InvalidArgumentError(
    `Unknown key ${JSON.stringify(key)} in ${what}${hint || ";"} ${hint ? "The" : "the"} keys are ${
      keys.join(", ")
    }`,
    options,
  );
}

/** The word that a mistyped one was most likely meant to be; null if none is near. */
export function nearest(typed: string, words: readonly string[]): string | null {
  const ranked = words.map((word) => ({ word, distance: distanceOf(typed, word) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  // A name of one letter is near to every other one.
  const isFar = typed.length < 2 && best?.distance !== 0;
  if (best === undefined || isFar) return null;
  return best.distance <= Math.max(1, typed.length / 3) ? best.word : null;
}

/**
 * How many letters to add, drop, change or swap with the next (optimal string alignment); a word that
 * begins the other costs one.
 */
function distanceOf(typed: string, word: string): number {
  const [a, b] = [typed.toLowerCase(), word.toLowerCase()];
  if (a === b) return 0;
  if (a.length > 2 && (b.startsWith(a) || a.startsWith(b))) return 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1, swapped));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A value in a few words, for messages. */
function kindOf(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    case "function":
      return "a function";
    default:
      return String(value);
  }
}

/** True or false. */
export const BOOLEAN: OptionCheck = must((value) => typeof value === "boolean", "true or false");

/** A text that is not empty. */
export const TEXT: OptionCheck = must(
  (value) => typeof value === "string" && value !== "",
  "a text that is not empty",
);

/** A function. */
export const FUNCTION: OptionCheck = must((value) => typeof value === "function", "a function");

/** A signal that ends what is under way. */
export const SIGNAL: OptionCheck = must(
  (value) => value instanceof AbortSignal,
  "an AbortSignal",
);

/** What may be an address; `parseAddress` says the rest. */
export const ADDRESS: OptionCheck = must(
  (value) => ["bigint", "number", "string"].includes(typeof value),
  "an address: a bigint, a number or a string",
);

/** An object, whose own keys are checked where it is used. */
export const OBJECT: OptionCheck = must(
  (value) => typeof value === "object" && value !== null,
  "an object",
);

/** An array. */
export const LIST: OptionCheck = must(Array.isArray, "an array");

/** A duration: any number from 0 up. */
export const MILLISECONDS: OptionCheck = must(
  (value) => Number.isFinite(value) && Number(value) >= 0,
  "a number of milliseconds from 0 up",
);

/** A whole number in a range. */
export function wholeNumberFrom(
  lowest: number,
  highest: number = Number.MAX_SAFE_INTEGER,
): OptionCheck {
  const range = highest >= Number.MAX_SAFE_INTEGER
    ? `from ${lowest} up`
    : `from ${lowest} to ${highest}`;
  return must(
    (value) => Number.isInteger(value) && Number(value) >= lowest && Number(value) <= highest,
    `a whole number ${range}`,
  );
}

/** One of a few words. */
export function oneOfWords(...words: readonly string[]): OptionCheck {
  return must(
    (value) => words.includes(value as string),
    words.map((word) => JSON.stringify(word)).join(" or "),
  );
}

function must(isRight: (value: unknown) => boolean, wanted: string): OptionCheck {
  return (value) => isRight(value) ? null : wanted;
}

/**
 * The fields that are not undefined: options are handed on with it, since a key whose value is undefined is
 * no option that is left out.
 */
export function given<T extends object>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
