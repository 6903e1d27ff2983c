import type * as ast from "acorn";
import { type Code, code } from "../code.ts";
import { screenInteger } from "../screen_numbers.ts";
import type { Rules } from "./writer.ts";

/** Literals that JavaScript would round, or that modules refuse. */
export const LITERALS: Rules = {
  Literal: (node: ast.Literal): Code => {
    const { value, raw = "" } = node;
    const big = bigLiteral(node);
    if (big !== undefined) return code`${big}n`;
    // Forms that stand on screens only, and those that only old scripts may use: 0755 and "\033".
    if (typeof value === "number" && screenInteger(raw) !== undefined) return code`${value}`;
    if (typeof value === "number" && !/^(?:0[xXoObB]|0$|0[.eE]|[1-9.])/.test(raw)) {
      return code`${String(value)}`;
    }
    if (typeof value === "string" && /\\[0-9]/.test(raw)) return code`${JSON.stringify(value)}`;
    return [node];
  },
};

/** The digits of a whole number past 2^53-1 that is written without a dot or exponent. */
export function bigLiteral({ value, raw = "" }: ast.Literal): string | undefined {
  const onScreen = typeof value === "number" ? screenInteger(raw) : undefined;
  if (onScreen !== undefined) {
    return onScreen > BigInt(Number.MAX_SAFE_INTEGER) ? `0x${onScreen.toString(16)}` : undefined;
  }
  const isBig = typeof value === "number" && value > Number.MAX_SAFE_INTEGER &&
    /^(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[1-9][0-9_]*)$/.test(raw);
  return isBig ? raw.replaceAll("_", "") : undefined;
}
