import { isThenable } from "../until_aborted.ts";
import { isIntrinsic } from "./intrinsics.ts";
import { isTypedArray } from "./numeric_arguments.ts";
import { isPlain } from "./twins.ts";
import type { Builtin, BuiltinRow, Run } from "./run.ts";

/** An array, or what is like one. */
type List = { length: number; [index: number]: unknown };
// deno-lint-ignore ban-types
type Callback = Function;

/** Goes through a list as its native method does, but waits for what the callback returns. */
type Loop = (list: List, each: (index: number) => unknown, args: unknown[]) => Promise<unknown>;

const there = (list: List) =>
  Array.from({ length: list.length }, (_, i) => i).filter((i) => i in list);

/** The methods that hand (value, index, list) to a callback. */
const LOOPS: Readonly<Record<string, Loop>> = {
  async map(list, each) {
    const results = new Array(list.length);
    for (const i of there(list)) results[i] = await each(i);
    return like(list, results);
  },
  async filter(list, each) {
    const results: unknown[] = [];
    for (const i of there(list)) {
      const value = list[i];
      if (await each(i)) results.push(value);
    }
    return like(list, results);
  },
  async forEach(list, each) {
    for (const i of there(list)) await each(i);
  },
  async flatMap(list, each) {
    const results: unknown[] = [];
    for (const i of there(list)) results.push(await each(i));
    return results.flat();
  },
  async some(list, each) {
    for (const i of there(list)) if (await each(i)) return true;
    return false;
  },
  async every(list, each) {
    for (const i of there(list)) if (!await each(i)) return false;
    return true;
  },
  find: async (list, each) => list[await first(forwards(list), each)],
  findIndex: (list, each) => first(forwards(list), each),
  findLast: async (list, each) => list[await first(forwards(list).reverse(), each)],
  findLastIndex: (list, each) => first(forwards(list).reverse(), each),
};

function forwards({ length }: List): number[] {
  return Array.from({ length }, (_, i) => i);
}

async function first(indexes: number[], each: (index: number) => unknown): Promise<number> {
  for (const i of indexes) if (await each(i)) return i;
  return -1;
}

/** A result of the list's own kind. */
function like(list: List, results: unknown[]): unknown {
  return isTypedArray(list)
    ? (list.constructor as typeof Uint8Array).from(results as number[])
    : results;
}

function looped(loop: Loop): Builtin {
  return (list: List, args: unknown[], run, native) => {
    const [callback, self] = args;
    if (list == null || !mayPromise(callback, run)) return Reflect.apply(native, list, args);
    return loop(list, (i) => run.call(callback, self, [list[i], i, list]), args);
  };
}

/** Says whether what a callback returns may be a promise that can be waited for. */
function mayPromise(callback: unknown, run: Run): callback is Callback {
  return run.waits && typeof callback === "function" && !isPlain(callback) &&
    !isIntrinsic(callback);
}

function reduced(order: (list: List) => number[]): Builtin {
  return (list: List, args: unknown[], run, native) => {
    const [callback] = args;
    if (list == null || !mayPromise(callback, run)) return Reflect.apply(native, list, args);
    const indexes = order(list);
    if (args.length < 2 && indexes.length === 0) {
      throw new TypeError("Reduce of empty array with no initial value");
    }
    return (async () => {
      let sum = args.length < 2 ? list[indexes.shift()!] : args[1];
      for (const i of indexes) sum = await run.call(callback, undefined, [sum, list[i], i, list]);
      return sum;
    })();
  };
}

/** Sorts in place or into a copy; a comparison may return a bigint, or a promise. */
function sorted(isCopy: boolean): Builtin {
  return (list: List, args: unknown[], run, native) => {
    const [compare] = args;
    if (typeof compare !== "function" || list == null) return Reflect.apply(native, list, args);
    if (!mayPromise(compare, run)) {
      const sign = (a: unknown, b: unknown) => signOf(Reflect.apply(compare, undefined, [a, b]));
      return Reflect.apply(native, list, [sign]);
    }
    return (async () => {
      const values = there(list).map((i) => list[i]);
      const missing = values.filter((value) => value === undefined);
      const ordered = await mergeSort(
        values.filter((value) => value !== undefined),
        async (a, b) => signOf(await run.call(compare, undefined, [a, b])),
      );
      ordered.push(...missing);
      if (isCopy) {
        return like(list, ordered.concat(new Array(list.length - ordered.length).fill(undefined)));
      }
      for (let i = 0; i < list.length; i++) {
        if (i < ordered.length) list[i] = ordered[i];
        else delete list[i];
      }
      return list;
    })();
  };
}

function signOf(value: unknown): number {
  return typeof value === "bigint" ? Number(value > 0n) - Number(value < 0n) : Number(value);
}

async function mergeSort(
  values: unknown[],
  compare: (a: unknown, b: unknown) => Promise<number>,
): Promise<unknown[]> {
  if (values.length < 2) return values;
  const middle = values.length >> 1;
  const left = await mergeSort(values.slice(0, middle), compare);
  const right = await mergeSort(values.slice(middle), compare);
  const merged: unknown[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    merged.push(await compare(left[i], right[j]) > 0 ? right[j++] : left[i++]);
  }
  return [...merged, ...left.slice(i), ...right.slice(j)];
}

/** `Map.prototype.forEach` and `Set.prototype.forEach`. */
const keyed: Builtin = (
  holder: Map<unknown, unknown> | Set<unknown>,
  args: unknown[],
  run,
  native,
) => {
  const [callback, self] = args;
  if (!mayPromise(callback, run) || !isKeyed(holder)) return Reflect.apply(native, holder, args);
  return (async () => {
    for (const [key, value] of holder.entries()) {
      await run.call(callback, self, [value, key, holder]);
    }
  })();
};

function isKeyed(holder: unknown): holder is Map<unknown, unknown> | Set<unknown> {
  return holder instanceof Map || holder instanceof Set;
}

/** `Array.from(list, f)`. */
const arrayFrom: Builtin = (self: unknown, args: unknown[], run, native) => {
  const [list, callback, callbackSelf] = args;
  if (args.length < 2 || !mayPromise(callback, run)) return Reflect.apply(native, self, args);
  const values = Reflect.apply(native, self, [list]) as unknown[];
  return LOOPS.map!(values, (i) => run.call(callback, callbackSelf, [values[i], i]), []);
};

/** `Object.groupBy` and `Map.groupBy`: the key of each value is asked for first. */
const grouped: Builtin = (self: unknown, args: unknown[], run, native) => {
  const [list, callback] = args;
  if (!mayPromise(callback, run)) return Reflect.apply(native, self, args);
  return (async () => {
    const values = [...list as Iterable<unknown>];
    const keys: unknown[] = [];
    for (const [i, value] of values.entries()) {
      keys.push(await run.call(callback, undefined, [value, i]));
    }
    return Reflect.apply(native, self, [values, (_: unknown, i: number) => keys[i]]);
  })();
};

/** `replace` and `replaceAll` with a function: what it returns for each match is asked for first. */
const replaced: Builtin = (self: unknown, args: unknown[], run, native) => {
  const [pattern, callback] = args;
  if (!mayPromise(callback, run)) return Reflect.apply(native, self, args);
  return (async () => {
    const matches: unknown[][] = [];
    Reflect.apply(native, self, [pattern, (...match: unknown[]) => (matches.push(match), "")]);
    const texts: unknown[] = [];
    for (const match of matches) texts.push(await run.call(callback, undefined, match));
    return Reflect.apply(native, self, [pattern, () => texts.shift()]);
  })();
};

/** The functions of JavaScript's own that call back. */
export const ITERATION: readonly BuiltinRow[] = [
  ...[Array.prototype, Object.getPrototypeOf(Uint8Array.prototype)].flatMap((holder) => [
    ...Object.entries(LOOPS).map(([name, loop]): BuiltinRow => [holder[name], looped(loop)]),
    [holder.reduce, reduced(there)] as const,
    [holder.reduceRight, reduced((list) => there(list).reverse())] as const,
    [holder.sort, sorted(false)] as const,
    [holder.toSorted, sorted(true)] as const,
  ]).filter(([native]) => native !== undefined),
  [Map.prototype.forEach, keyed],
  [Set.prototype.forEach, keyed],
  [Array.from, arrayFrom],
  [Object.groupBy, grouped],
  [Map.groupBy, grouped],
  [String.prototype.replace, replaced],
  [String.prototype.replaceAll, replaced],
];

/** Says whether a value must be waited for. */
export function isLater(value: unknown): value is PromiseLike<unknown> {
  return typeof value !== "number" && typeof value !== "string" && isThenable(value);
}
