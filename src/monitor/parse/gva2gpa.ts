import { ReplyParseError } from "../errors.ts";

/**
 * Reads `gva2gpa`: `gpa: 0x1000123`, `gpa: 0` (`%#` prints no prefix before a zero), or `Unmapped`, which gives null (5.2 to 11.1).
 *
 * @throws {ReplyParseError} if it is neither
 */
export function parseGva2gpa(reply: string): bigint | null {
  const text = reply.trim();
  if (text === "Unmapped") return null;
  const digits = /^gpa: (0x[0-9a-f]+|0)$/.exec(text)?.[1];
  if (digits === undefined) throw new ReplyParseError("gva2gpa", text, '"gpa: 0x…" or "Unmapped"');
  return BigInt(digits);
}
