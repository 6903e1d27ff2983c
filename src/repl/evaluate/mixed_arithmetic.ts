/** Which operand of a mixed calculation was turned into a bigint. */
export type ConvertedSide = "left" | "right";

// deno-lint-ignore no-explicit-any
type Operation = (left: any, right: any) => unknown;

/** The operators that refuse a bigint beside a number. (`>>>` has no bigint form, comparisons mix.) */
export const ARITHMETIC: Readonly<Record<string, Operation>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right,
  "**": (left, right) => left ** right,
  "&": (left, right) => left & right,
  "|": (left, right) => left | right,
  "^": (left, right) => left ^ right,
  "<<": (left, right) => left << right,
  ">>": (left, right) => left >> right,
};

/**
 * Calculates as JavaScript does, but where JavaScript would throw because one operand is a bigint and
 * the other a whole number, the number counts as a bigint. So `address + 0x1000` works at the prompt,
 * and nothing that has a value in JavaScript gets another one.
 *
 * @param converted is told which operand was turned into a bigint
 * @throws {TypeError} if the number is not whole, or was rounded already
 */
export function calculate(
  operator: string,
  left: unknown,
  right: unknown,
  converted?: (side: ConvertedSide) => void,
): unknown {
  const operation = ARITHMETIC[operator]!;
  if (typeof left === "bigint" && typeof right === "number") {
    const operand = wholeNumber(right, operator);
    converted?.("right");
    return operation(left, operand);
  }
  if (typeof left === "number" && typeof right === "bigint") {
    const operand = wholeNumber(left, operator);
    converted?.("left");
    return operation(operand, right);
  }
  return operation(left, right);
}

function wholeNumber(value: number, operator: string): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value);
  const why = Number.isInteger(value) ? "is past 2^53-1 and was rounded" : "is not a whole number";
  throw new TypeError(
    `Cannot calculate a bigint ${operator} ${value}: ${value} ${why}; write a bigint, such as 0x1000n`,
  );
}
