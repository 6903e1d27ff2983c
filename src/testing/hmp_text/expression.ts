/** A number that the monitor could not read. The message is what QEMU prints. */
export class ExpressionError extends Error {
  override name = "ExpressionError";
}

/** A number that was read, and where in the text it ended. */
export interface ExpressionResult {
  /** The value: 64 bits, as a signed number. */
  value: bigint;
  /** The index of the first character that does not belong to it; white space is skipped. */
  end: number;
}

/**
 * Reads a number the way QEMU's monitor does: `+ -` bind loosest, then `& | ^`, then `* / %`; unary
 * `+ - ~`, brackets, `'c'`, `$register`, and C's number prefixes, so that `010` is 8.
 *
 * @throws {ExpressionError} with QEMU's message
 */
export function readExpression(
  text: string,
  start: number,
  register: (name: string) => bigint | undefined,
): ExpressionResult {
  const reader = new ExpressionReader(text, start, register);
  const value = reader.sum();
  return { value, end: reader.position };
}

type Operator = (a: bigint, b: bigint) => bigint;

function divide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new ExpressionError("division by zero");
  return a / b;
}

function remainder(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new ExpressionError("division by zero");
  return a % b;
}

const SUM: Readonly<Record<string, Operator>> = { "+": (a, b) => a + b, "-": (a, b) => a - b };
const LOGIC: Readonly<Record<string, Operator>> = {
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
};
const PRODUCT: Readonly<Record<string, Operator>> = {
  "*": (a, b) => a * b,
  "/": divide,
  "%": remainder,
};

class ExpressionReader {
  position: number;
  readonly #text: string;
  readonly #register: (name: string) => bigint | undefined;

  constructor(text: string, start: number, register: (name: string) => bigint | undefined) {
    this.#text = text;
    this.#register = register;
    this.position = start;
    this.#skipSpace();
  }

  sum(): bigint {
    return this.#binary(SUM, () => this.#binary(LOGIC, () => this.#binary(PRODUCT, this.#unary)));
  }

  #binary(operators: Readonly<Record<string, Operator>>, operand: () => bigint): bigint {
    let value = operand();
    for (;;) {
      const operator = operators[this.#peek()];
      if (operator === undefined) return value;
      this.#skip(1);
      value = BigInt.asIntN(64, operator(value, operand()));
    }
  }

  readonly #unary = (): bigint => {
    switch (this.#peek()) {
      case "":
        throw new ExpressionError("unexpected end of expression");
      case "+":
        this.#skip(1);
        return this.#unary();
      case "-":
        this.#skip(1);
        return BigInt.asIntN(64, -this.#unary());
      case "~":
        this.#skip(1);
        return ~this.#unary();
      case "(":
        return this.#brackets();
      case "'":
        return this.#character();
      case "$":
        return this.#registerValue();
      default:
        return this.#number();
    }
  };

  #brackets(): bigint {
    this.#skip(1);
    const value = this.sum();
    if (this.#peek() !== ")") throw new ExpressionError("')' expected");
    this.#skip(1);
    return value;
  }

  #character(): bigint {
    const letter = this.#text[this.position + 1];
    if (letter === undefined) throw new ExpressionError("character constant expected");
    if (this.#text[this.position + 2] !== "'") {
      throw new ExpressionError("missing terminating ' character");
    }
    this.#skip(3);
    return BigInt(letter.charCodeAt(0));
  }

  #registerValue(): bigint {
    const [, name = ""] = /^\$([A-Za-z0-9_.]*)/.exec(this.#text.slice(this.position)) ?? [];
    this.#skip(1 + name.length);
    const value = this.#register(name);
    if (value === undefined) throw new ExpressionError("unknown register");
    return BigInt.asIntN(64, value);
  }

  #number(): bigint {
    // strtoull() with base 0: a lone "0x" is a 0 followed by an x.
    const [digits] = /^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/
      .exec(this.#text.slice(this.position)) ?? [];
    if (digits === undefined) {
      throw new ExpressionError(`invalid char '${this.#peek()}' in expression`);
    }
    const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
    if (value >= 1n << 64n) throw new ExpressionError("number too large");
    this.#skip(digits.length);
    return BigInt.asIntN(64, value);
  }

  #peek(): string {
    return this.#text[this.position] ?? "";
  }

  #skip(characters: number): void {
    this.position += characters;
    this.#skipSpace();
  }

  #skipSpace(): void {
    while (/\s/.test(this.#peek())) this.position++;
  }
}
