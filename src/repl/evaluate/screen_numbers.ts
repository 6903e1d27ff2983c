import { type Parser, tokTypes } from "acorn";

/** What acorn's plugins may use besides what its types tell. */
interface NumberReader {
  readonly input: string;
  pos: number;
  readNumber(startsWithDot: boolean): unknown;
  readRadixNumber(radix: number): unknown;
  finishToken(type: unknown, value: unknown): unknown;
}

/**
 * Numbers as they stand on screens, where JavaScript has no use for them: hexadecimal without a prefix
 * that begins with a digit, leading zeros, and separators that C++ and WinDbg use.
 */
const FORMS: readonly RegExp[] = [
  // 7f1234567000; 7e1234567000 would be infinite.
  /(?=[0-9]+[a-fA-F])(?![0-9]+[eE][0-9]{1,3}(?![0-9a-fA-F]))[0-9][0-9a-fA-F]{7,15}(?![\w$])/y,
  // 0000000000400000
  /0[0-9]{7,15}(?![\w$.])/y,
  // 0xffff'8000'0000'0000
  /0[xX][0-9a-fA-F]+(?:['_`][0-9a-fA-F]+)+(?![\w$'`])/y,
];

/** An acorn plugin that reads these forms as the numbers that they are. */
export function screenNumbers(Base: typeof Parser): typeof Parser {
  const base = Base.prototype as unknown as NumberReader;
  class ScreenParser extends (Base as unknown as new (...args: never[]) => object) {
    readNumber(this: NumberReader, startsWithDot: boolean): unknown {
      const text = formAt(this);
      return text === undefined ? base.readNumber.call(this, startsWithDot) : finish(this, text);
    }

    readRadixNumber(this: NumberReader, radix: number): unknown {
      const text = formAt(this);
      return text === undefined ? base.readRadixNumber.call(this, radix) : finish(this, text);
    }
  }
  return ScreenParser as unknown as typeof Parser;
}

function formAt({ input, pos }: NumberReader): string | undefined {
  for (const form of FORMS) {
    form.lastIndex = pos;
    const found = form.exec(input);
    if (found) return found[0];
  }
  return undefined;
}

function finish(reader: NumberReader, text: string): unknown {
  reader.pos += text.length;
  return reader.finishToken(tokTypes.num, Number(screenInteger(text)));
}

/** The integer that a literal of such a form is; undefined for JavaScript's own. */
export function screenInteger(raw: string): bigint | undefined {
  for (const form of FORMS) {
    form.lastIndex = 0;
    if (form.exec(raw)?.[0] !== raw) continue;
    return BigInt(`0x${raw.replace(/^0[xX]/, "").replace(/['_`]/g, "")}`);
  }
  return undefined;
}
