import { narrow } from "../exact.ts";

/** Which arguments of a function are numbers: their positions, or all. */
type Positions = readonly number[] | "all";

const TYPED_ARRAYS = [
  Uint8Array,
  Uint8ClampedArray,
  Uint16Array,
  Uint32Array,
  Int8Array,
  Int16Array,
  Int32Array,
  Float32Array,
  Float64Array,
] as const;

const TypedArray = Object.getPrototypeOf(Uint8Array);

/** JavaScript's functions that refuse a bigint where they mean a number. */
const ROWS: readonly (readonly [holder: object, names: readonly string[] | "every", Positions])[] =
  [
    [String.prototype, "every", "all"],
    [String, ["fromCharCode", "fromCodePoint"], "all"],
    [Number.prototype, "every", "all"],
    [Math, "every", "all"],
    [Array.prototype, ["at", "slice", "flat", "copyWithin"], "all"],
    [Array.prototype, ["splice", "toSpliced"], [0, 1]],
    [Array.prototype, ["with"], [0]],
    [Array.prototype, ["fill", "includes", "indexOf", "lastIndexOf"], [1, 2]],
    [TypedArray.prototype, ["at", "slice", "subarray", "copyWithin"], "all"],
    [TypedArray.prototype, ["with"], [0]],
    [TypedArray.prototype, ["fill", "includes", "indexOf", "lastIndexOf", "set"], [1, 2]],
    [ArrayBuffer.prototype, ["slice", "resize"], "all"],
    [DataView.prototype, "every", [0]],
    [Date.prototype, "every", "all"],
    [Date, ["UTC"], "all"],
    [Iterator.prototype, ["take", "drop"], "all"],
    [globalThis, ["setTimeout", "setInterval"], [1]],
    [BigInt, ["asIntN", "asUintN"], [0]],
  ];

/** Classes whose constructors do. */
const CONSTRUCTORS: ReadonlySet<unknown> = new Set([
  Array,
  ArrayBuffer,
  Date,
  ...TYPED_ARRAYS,
  BigInt64Array,
  BigUint64Array,
]);

const positionsOf = new Map<unknown, Positions>();
for (const [holder, names, positions] of ROWS) {
  for (const name of names === "every" ? Object.getOwnPropertyNames(holder) : names) {
    const value = Object.getOwnPropertyDescriptor(holder, name)?.value;
    if (typeof value === "function" && name !== "constructor") positionsOf.set(value, positions);
  }
}
// Here the value is a number too, unless it is said to be a bigint.
for (const name of Object.getOwnPropertyNames(DataView.prototype)) {
  if (!/^set(?!Big)/.test(name)) continue;
  positionsOf.set(Reflect.get(DataView.prototype, name), [0, 1]);
}

/** The arguments of a function, bigints turned into numbers where it only takes numbers. */
export function numericArguments(called: unknown, args: unknown[]): unknown[] {
  if (!args.some((argument) => typeof argument === "bigint")) return args;
  const positions = positionsOf.get(called);
  if (positions === undefined) return args;
  return args.map((argument, i) =>
    typeof argument === "bigint" && (positions === "all" || positions.includes(i))
      ? Number(argument)
      : argument
  );
}

/** The same for `new`: lengths, and the elements of a typed array. */
export function numericConstruction(made: unknown, args: unknown[]): unknown[] {
  if (!CONSTRUCTORS.has(made)) return args;
  return args.map((argument, i) => {
    if (typeof argument === "bigint") return Number(narrow(argument));
    const isList = made !== Array && i === 0 && Array.isArray(argument);
    return isList ? argument.map((element) => elementFor(made, element)) : argument;
  });
}

/** A value as an element of a typed array wants it: a number, or a bigint. */
export function elementFor(kind: unknown, value: unknown): unknown {
  if (kind === BigInt64Array || kind === BigUint64Array) {
    return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  }
  if (typeof value !== "bigint") return value;
  // Modulo 2^32 as these arrays cut what is too large; fractions have room for it all.
  const isFraction = kind === Float32Array || kind === Float64Array || kind === Uint8ClampedArray;
  return Number(isFraction ? value : BigInt.asIntN(32, value));
}

/** Says whether a value is a typed array. */
export function isTypedArray(value: unknown): value is Uint8Array {
  return value instanceof TypedArray;
}
