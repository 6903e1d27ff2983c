import { isSame } from "../exact.ts";
import { numericArguments } from "./numeric_arguments.ts";
import type { Builtin, BuiltinRow } from "./run.ts";

/** A value and what counts as the same: a number and a bigint of one value do. */
function alternatives(value: unknown): unknown[] {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? [value, number] : [value];
  }
  return typeof value === "number" && Number.isSafeInteger(value)
    ? [value, BigInt(value)]
    : [value];
}

/** `includes` and its like on lists. */
function searched(found: (a: unknown, b: unknown) => unknown): Builtin {
  return (list: unknown, args: unknown[], _run, native) => {
    const [wanted, ...from] = numericArguments(native, args);
    const all = args.length === 0 ? [undefined] : alternatives(wanted);
    return all.map((value) => Reflect.apply(native, list, [value, ...from])).reduce(found);
  };
}

const lowest = (a: unknown, b: unknown) =>
  Number(a) < 0 ? b : Number(b) < 0 ? a : Math.min(Number(a), Number(b));

/** The methods of maps and sets, on the key that is there. */
const keyed: Builtin = (holder: unknown, args: unknown[], _run, native) => {
  if ((holder instanceof Map || holder instanceof Set) && args.length > 0) {
    const [key, ...others] = args;
    const known = alternatives(key).find((other) => holder.has(other));
    if (known !== undefined) return Reflect.apply(native, holder, [known, ...others]);
  }
  return Reflect.apply(native, holder, args);
};

const TypedArray = Object.getPrototypeOf(Uint8Array);

/** JavaScript's functions that look for a value. */
export const SEARCHING: readonly BuiltinRow[] = [
  ...[Array.prototype, TypedArray.prototype].flatMap((holder): BuiltinRow[] => [
    [holder.includes, searched((a, b) => a || b)],
    [holder.indexOf, searched(lowest)],
    [holder.lastIndexOf, searched((a, b) => Math.max(Number(a), Number(b)))],
  ]),
  ...["get", "has", "set", "delete"].map((
    name,
  ): BuiltinRow => [Reflect.get(Map.prototype, name), keyed]),
  ...["has", "add", "delete"].map((name): BuiltinRow => [Reflect.get(Set.prototype, name), keyed]),
  [
    Object.is,
    (self: unknown, args: unknown[], _run, native) =>
      Reflect.apply(native, self, args) || isSame(args[0], args[1]),
  ],
];
