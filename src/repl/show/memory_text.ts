import type { Style } from "../../report/style.ts";
import { groupHex } from "./group_hex.ts";

const BYTES_A_LINE = 16;

/** Writes bytes as a hexdump, 16 a line, each line with its address. */
export function hexdumpText(bytes: Uint8Array, address: bigint, style: Style): string {
  const digits = (address + BigInt(bytes.length)).toString(16).length;
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const row = bytes.subarray(at, at + BYTES_A_LINE);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0"));
    const halves = [hex.slice(0, 8).join(" "), hex.slice(8).join(" ")].join("  ").padEnd(48);
    const place = style.faint(groupHex(address + BigInt(at), digits));
    lines.push(`${place}  ${halves}  |${printable(row)}|`);
  }
  return lines.join("\n");
}

/** Writes words of memory as `xp` does, 16 bytes a line, each line with its address. */
export function wordsText(
  words: readonly bigint[],
  { address, wordBytes }: { address: bigint; wordBytes: number },
  style: Style,
): string {
  const perLine = BYTES_A_LINE / wordBytes;
  const digits = (address + BigInt(words.length * wordBytes)).toString(16).length;
  const lines: string[] = [];
  for (let at = 0; at < words.length; at += perLine) {
    const place = style.faint(groupHex(address + BigInt(at * wordBytes), digits));
    const values = words.slice(at, at + perLine).map((word) => groupHex(word, wordBytes * 2));
    lines.push(`${place}  ${values.join("  ")}`);
  }
  return lines.join("\n");
}

function printable(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")
    .join("");
}
