/** A number or a bigint. */
export type Numeric = number | bigint;

/** What an operator of two operands is made of. */
interface Operation {
  /** The result on two numbers where JavaScript's is exact, else undefined. */
  fast(left: number, right: number): number | undefined;
  /** The result on any two integers. */
  exact(left: bigint, right: bigint): bigint;
}

/** Beyond this a result is a slip of the finger, and computing it would hold everything up. */
const MAX_BITS = 1n << 20n;

const isSafe = Number.isSafeInteger;
const isInt32 = (value: number) => (value | 0) === value;

/**
 * The operators that JavaScript rounds, cuts to 32 bits or refuses to mix. `>>>` and `~` mean 64 bits;
 * the other bit operators take negative numbers as two's complement of any length.
 */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "+": { fast: (a, b) => safeOr(a + b, a, b), exact: (a, b) => a + b },
  "-": { fast: (a, b) => safeOr(a - b, a, b), exact: (a, b) => a - b },
  "*": { fast: (a, b) => safeOr(a * b, a, b), exact: (a, b) => a * b },
  // Numbers divide as in JavaScript: 5 / 2 is 2.5. Bigints, such as addresses, divide to integers.
  "/": { fast: (a, b) => a / b, exact: (a, b) => a / b },
  "%": { fast: (a, b) => a % b, exact: (a, b) => a % b },
  "**": { fast: power, exact: powerOf },
  "&": { fast: (a, b) => isInt32(a) && isInt32(b) ? a & b : undefined, exact: (a, b) => a & b },
  "|": { fast: (a, b) => isInt32(a) && isInt32(b) ? a | b : undefined, exact: (a, b) => a | b },
  "^": { fast: (a, b) => isInt32(a) && isInt32(b) ? a ^ b : undefined, exact: (a, b) => a ^ b },
  "<<": {
    fast: (a, b) => isInt32(a) && b >= 0 && b <= 20 && isInt32(b) ? a * 2 ** b : undefined,
    exact: shiftLeft,
  },
  ">>": {
    fast: (a, b) => isInt32(a) && b >= 0 && b <= 31 && isInt32(b) ? a >> b : undefined,
    exact: (a, b) => shiftLeft(a, -b),
  },
  ">>>": {
    fast: (a, b) => isInt32(a) && a >= 0 && b >= 0 && b <= 31 && isInt32(b) ? a >> b : undefined,
    exact: (a, b) => BigInt.asUintN(64, shiftLeft(BigInt.asUintN(64, a), -b)),
  },
};

/** The operators whose operands are integers, whatever they were. */
const ON_BITS = new Set(["&", "|", "^", "<<", ">>", ">>>"]);

/** A result of two safe integers may be unsafe, and rounded then; fractions are JavaScript's own. */
function safeOr(result: number, left: number, right: number): number | undefined {
  return isSafe(result) || !isSafe(left) || !isSafe(right) ? result : undefined;
}

function power(base: number, exponent: number): number | undefined {
  const result = base ** exponent;
  const isWhole = isSafe(base) && isSafe(exponent) && exponent >= 0;
  return !isWhole || isInt32(result) ? result : undefined;
}

function powerOf(base: bigint, exponent: bigint): bigint {
  if (exponent > 1n && base * base > 1n) checkBits(BigInt(base.toString(2).length) * exponent);
  return base ** exponent;
}

function shiftLeft(value: bigint, count: bigint): bigint {
  if (count > 0n && value !== 0n) checkBits(count);
  // V8 refuses to shift right by more than it can shift left.
  if (count < -MAX_BITS) return value < 0n ? -1n : 0n;
  return value << count;
}

function checkBits(bits: bigint): void {
  if (bits > MAX_BITS) throw new RangeError("The result has more than a million bits");
}

/** Which operand was turned into a bigint, or that JavaScript would have had another result. */
export type Departure = "left" | "right" | "exact";

/**
 * Calculates with integers of any size. Two numbers make a number, or a bigint if no number holds the
 * result exactly; a bigint and a whole number make a bigint.
 *
 * @param depart is told where plain JavaScript would round, cut or throw
 * @throws {TypeError} if a bigint meets a fraction, or a number that was rounded before
 */
export function calculate(
  operator: string,
  left: unknown,
  right: unknown,
  depart?: (departure: Departure) => void,
): unknown {
  const { fast, exact } = OPERATIONS[operator]!;
  if (operator === "+") {
    [left, right] = [primitive(left, "default"), primitive(right, "default")];
    if (typeof left === "string" || typeof right === "string") return `${left}${right}`;
  }
  const a = numeric(left);
  const b = numeric(right);
  if (typeof a === "number" && typeof b === "number") {
    const result = fast(a, b);
    if (result !== undefined) return result;
    depart?.("exact");
    const whole = (value: number) => wholeNumber(ON_BITS.has(operator) ? cut(value) : value);
    return narrow(exact(whole(a), whole(b)));
  }
  if (typeof a === "number") depart?.("left");
  if (typeof b === "number") depart?.("right");
  return exact(wholeNumber(a, operator), wholeNumber(b, operator));
}

/** `-x`. */
export function negate(value: unknown): Numeric {
  return -numeric(value);
}

/** `~x`, in 64 bits: `~0xfff` is 0xfffffffffffff000. */
export function invert(value: unknown): Numeric {
  const all = numeric(value);
  if (typeof all === "bigint") return BigInt.asUintN(64, ~all);
  return narrow(BigInt.asUintN(64, ~wholeNumber(cut(all))));
}

/** `a === b`, where a number and a bigint of the same value are the same. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  const types = `${typeof left} ${typeof right}`;
  return (types === "number bigint" || types === "bigint number") && left == right;
}

/** A value as `switch` and maps compare it: small bigints as numbers. */
export function asKey(value: unknown): unknown {
  return typeof value === "bigint" ? narrow(value) : value;
}

/** What an operator makes of any value: text of a whole number is read exactly. */
export function numeric(value: unknown): Numeric {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "object" || typeof value === "function") {
    return value === null ? 0 : numeric(primitive(value, "number"));
  }
  const text = typeof value === "string" ? value.trim() : "";
  const [, sign, digits] =
    /^([+-]?)([0-9]+|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.exec(text) ?? [];
  if (digits === undefined) return Number(value);
  const whole = narrow(BigInt(digits));
  return sign === "-" ? -whole : whole;
}

/** A number if it holds the integer exactly. */
export function narrow(value: bigint): Numeric {
  const number = Number(value);
  return isSafe(number) ? number : value;
}

/** What an object is to an operator (ECMA-262, ToPrimitive). */
function primitive(value: unknown, hint: "default" | "number"): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
  const convert = Reflect.get(value, Symbol.toPrimitive);
  if (typeof convert === "function") return Reflect.apply(convert, value, [hint]);
  const own = value.valueOf();
  return typeof own === "object" || typeof own === "function" ? String(value) : own;
}

/** The integer part; nothing that JavaScript's bit operators take for 0 is anything else here. */
function cut(value: number): number {
  return Number.isFinite(value) ? Math.trunc(value) : 0;
}

function wholeNumber(value: Numeric, operator?: string): bigint {
  if (typeof value === "bigint") return value;
  if (isSafe(value)) return BigInt(value);
  const why = Number.isInteger(value) ? "is past 2^53-1 and was rounded" : "is not a whole number";
  const what = operator === undefined ? `with ${value}` : `a bigint ${operator} ${value}`;
  throw new TypeError(
    `Cannot calculate ${what}: ${value} ${why}; write an integer, such as 0x1000`,
  );
}
