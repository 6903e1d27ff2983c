import { assert, assertEquals, assertThrows } from "@std/assert";
import { Evaluator } from "../../src/repl/evaluate/evaluator.ts";
import { calculate, invert, isSame, negate } from "../../src/repl/evaluate/exact.ts";

const never = new AbortController().signal;

/** A random expression: what is typed, and its value by integers without bounds. */
interface Expression {
  readonly text: string;
  readonly value: bigint;
}

const WORD = (1n << 64n) - 1n;

/** What each operator means, said with integers only, and for which right operands it is tried. */
const MEANINGS: Readonly<Record<string, (a: bigint, b: bigint) => bigint | undefined>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "%": (a, b) => b === 0n ? undefined : a - (a / b) * b,
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => b < 0n || b > 80n ? undefined : a * 2n ** b,
  ">>": (a, b) => b < 0n || b > 80n ? undefined : floorDivide(a, 2n ** b),
  ">>>": (a, b) => b < 0n || b > 80n ? undefined : (a & WORD) / 2n ** b,
  "**": (a, b) => b < 0n || b > 6n || magnitude(a) > WORD ? undefined : a ** b,
};

function floorDivide(a: bigint, b: bigint): bigint {
  return (a - (((a % b) + b) % b)) / b;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Random numbers by xorshift, the same each time. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

function literal(below: (limit: number) => number): Expression {
  const bits = [4, 12, 31, 32, 33, 47, 52, 53, 54, 64, 70][below(11)]!;
  let value = 0n;
  for (let i = 0; i < bits; i += 16) value = value << 16n | BigInt(below(65536));
  value &= (1n << BigInt(bits)) - 1n;
  const text = [`0x${value.toString(16)}`, value.toString(), `${value}n`][below(3)]!;
  return { text, value };
}

function expression(below: (limit: number) => number, depth: number): Expression {
  if (depth === 0) return literal(below);
  const left = expression(below, below(depth));
  if (below(6) === 0) {
    return below(2) === 0
      ? { text: `(-${left.text})`, value: -left.value }
      : { text: `(~${left.text})`, value: ~left.value & WORD };
  }
  const names = Object.keys(MEANINGS);
  const sign = names[below(names.length)]!;
  const isCount = sign.includes("<") || sign.includes(">") || sign === "**";
  const right = isCount ? small(below, sign === "**" ? 6 : 70) : expression(below, below(depth));
  const value = MEANINGS[sign]!(left.value, right.value);
  if (value === undefined || magnitude(value) > 1n << 400n) return left;
  return { text: `(${left.text} ${sign} ${right.text})`, value };
}

function small(below: (limit: number) => number, limit: number): Expression {
  const value = below(limit);
  return { text: String(value), value: BigInt(value) };
}

Deno.test("100,000 random expressions have the values that exact integers have", async () => {
  const below = random(20260101);
  const A_LINE = 500;
  for (let line = 0; line < 200; line++) {
    const all = Array.from({ length: A_LINE }, () => expression(below, 1 + below(4)));
    const prompt = new Evaluator({});
    const parsed = prompt.parse(`[${all.map(({ text }) => text).join(",\n")}]`);
    assert(parsed.kind === "complete");
    const values = await prompt.run(parsed, never) as (number | bigint)[];
    all.forEach(({ text, value }, i) => {
      const found = values[i]!;
      assert(typeof found === "bigint" || Number.isSafeInteger(found), `${text} is ${found}`);
      assert(BigInt(found) === value, `${text} is ${found}, not ${value}`);
    });
  }
});

Deno.test("numbers stay numbers where they are exact, and fractions are JavaScript's", () => {
  assertEquals(calculate("+", 1, 2), 3);
  assertEquals(calculate("/", 5, 2), 2.5);
  assertEquals(calculate("/", 0x7f1234567001n, 2), 0x3f891a2b3800n);
  assertEquals(calculate("<<", 1, 40), 2 ** 40);
  assertEquals(calculate("<<", 1, 60), 1n << 60n);
  assertEquals(calculate("*", 0.1, 3), 0.1 * 3);
  assertEquals(calculate("**", 2, -1), 0.5);
  assertEquals(calculate("|", 3.7, 0), 3);
  assertEquals(calculate("&", NaN, 1), 0);
  assertEquals(calculate("+", "a", 1n), "a1");
  assertEquals(calculate("-", "0xffffffff81000000", 0x1000), 0xffffffff80fff000n);
  assertEquals(calculate("+", [1], 2), "12");
  assertEquals(calculate("-", new Date(5), new Date(3)), 2);
  assertEquals(calculate("+", true, 1), 2);
  assertEquals(calculate("+", undefined, 1), NaN);
  assertEquals(invert(0), 0xffffffffffffffffn);
  assertEquals(invert(invert(5)), 5n);
  assertEquals(negate(0xffffffff81000000n), -0xffffffff81000000n);
  assertEquals([isSame(1, 1n), isSame("1", 1), isSame(NaN, NaN)], [true, false, false]);
  assertThrows(() => calculate("+", 1n, 0.5), TypeError, "0.5 is not a whole number");
  assertThrows(() => calculate("/", 1n, 0), RangeError, "zero");
});
