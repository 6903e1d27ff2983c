import { type Numeric, numeric } from "../exact.ts";
import { guarded } from "./guarded.ts";
import type { Builtin, BuiltinRow, NativeFunction } from "./run.ts";

/** Makes a function that goes its own way where a bigint is among the arguments. */
function withBigints(ours: (args: Numeric[]) => unknown): Builtin {
  return (self: unknown, args: unknown[], _run, native) => {
    if (!args.some((argument) => typeof argument === "bigint")) {
      return Reflect.apply(native, self, args);
    }
    const values = args.map(numeric);
    // What is not a number makes the result so, as in JavaScript.
    return values.some((value) => Number.isNaN(value)) ? NaN : ours(values);
  };
}

/** Text of a whole number past 2^53-1 is read exactly. */
function readExactly(pattern: RegExp): Builtin {
  return (self: unknown, args: unknown[], _run, native) => {
    const [text, radix] = args;
    const value = Reflect.apply(
      native,
      self,
      args.map((argument, i) =>
        i > 0 && typeof argument === "bigint" ? Number(argument) : argument
      ),
    );
    if (typeof text !== "string" || typeof value !== "number" || Math.abs(value) < 2 ** 53) {
      return value;
    }
    const [, sign = "", digits] = pattern.exec(text.trim()) ?? [];
    if (
      digits === undefined || radix !== undefined && Number(radix) !== 10 && Number(radix) !== 16
    ) return value;
    const isHex = Number(radix) === 16 && !/^0x/i.test(digits);
    if (!isHex && /[a-f]/i.test(digits.replace(/^0x/i, "x")) && !/^0x/i.test(digits)) return value;
    const whole = BigInt(isHex ? `0x${digits}` : digits);
    return sign === "-" ? -whole : whole;
  };
}

const wholes = ["floor", "ceil", "round", "trunc"] as const;

/** A reviver that takes numbers past 2^53-1 by their digits, before the caller's own. */
const jsonParse: Builtin = (self: unknown, args: unknown[], _run, native) => {
  const [text, reviver] = args;
  const own = typeof reviver === "function" ? guarded(reviver) as NativeFunction : undefined;
  return Reflect.apply(native, self, [
    text,
    function (this: unknown, key: string, value: unknown, context?: { source?: string }) {
      const { source } = context ?? {};
      const isBig = typeof value === "number" && !Number.isSafeInteger(value) &&
        source !== undefined && /^-?[0-9]+$/.test(source);
      const exact = isBig ? BigInt(source) : value;
      return own ? Reflect.apply(own, this, [key, exact, context]) : exact;
    },
  ]);
};

/** Bigints are written by their digits, as numbers are. */
const jsonStringify: Builtin = (self: unknown, args: unknown[], _run, native) => {
  const [value, replacer, indent] = args;
  const own = typeof replacer === "function" ? guarded(replacer) as NativeFunction : undefined;
  const names = Array.isArray(replacer) ? new Set(replacer.map(String)) : undefined;
  const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
  return Reflect.apply(native, self, [
    value,
    function (this: unknown, key: string, part: unknown) {
      const replaced = own ? Reflect.apply(own, this, [key, part]) : part;
      if (names && key !== "" && !Array.isArray(this) && !names.has(key)) return undefined;
      return typeof replaced === "bigint" ? rawJson(String(replaced)) : replaced;
    },
    typeof indent === "bigint" ? Number(indent) : indent,
  ]);
};

/** JavaScript's functions that would round an integer, or throw for it. */
export const INTEGERS: readonly BuiltinRow[] = [
  [Math.max, withBigints((values) => values.reduce((a, b) => b > a ? b : a))],
  [Math.min, withBigints((values) => values.reduce((a, b) => b < a ? b : a))],
  [Math.abs, withBigints(([value]) => value! < 0 ? -value! : value)],
  [Math.sign, withBigints(([value]) => Number(value! > 0) - Number(value! < 0))],
  ...wholes.map((name): BuiltinRow => [Math[name], withBigints(([value]) => value)]),
  [
    Number.isInteger,
    (self: unknown, args: unknown[], _run, native) =>
      typeof args[0] === "bigint" || Reflect.apply(native, self, args),
  ],
  ...[isNaN, Number.isNaN].map((native): BuiltinRow => [
    native,
    (self: unknown, args: unknown[]) =>
      typeof args[0] !== "bigint" && Reflect.apply(native, self, args),
  ]),
  ...[isFinite, Number.isFinite].map((native): BuiltinRow => [
    native,
    (self: unknown, args: unknown[]) =>
      typeof args[0] === "bigint" || Reflect.apply(native, self, args),
  ]),
  [parseInt, readExactly(/^([+-]?)(0[xX][0-9a-fA-F]+|[0-9a-fA-F]+)/)],
  [Number, readExactly(/^([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)$/)],
  [JSON.parse, jsonParse],
  [JSON.stringify, jsonStringify],
];
