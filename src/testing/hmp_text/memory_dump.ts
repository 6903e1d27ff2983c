import { hex } from "./hex.ts";

/** How `xp` and `x` print words: octal, signed, unsigned, hexadecimal, characters. */
export type DumpFormat = "o" | "d" | "u" | "x" | "c";

/** What `xp` or `x` is to print. */
export interface MemoryDumpOptions {
  /** The address of the first byte. */
  address: bigint;
  /** How many words. */
  count: number;
  /** The length of a word, in bytes. */
  wordBytes: 1 | 2 | 4 | 8;
  /** How a word is printed. */
  format: DumpFormat;
  /** The least number of digits of an address. */
  addressDigits: number;
  /** Reads a row; null if it cannot be read. */
  read(address: bigint, lengthBytes: number): Uint8Array | null;
}

/**
 * The rows of `xp` and `x`: 16 bytes each, or 8 when words are bytes. A row of which any byte cannot
 * be read is lost as a whole and ends the output (seen in QEMU 5.2 to 11.1).
 */
export function memoryDumpText(options: MemoryDumpOptions): string {
  const rowBytes = options.wordBytes === 1 ? 8 : 16;
  const lengthBytes = Math.imul(options.wordBytes, options.count);
  // Characters are printed one a byte, however many the word size asked for.
  const cellBytes = options.format === "c" ? 1 : options.wordBytes;
  let text = "";
  for (let at = 0; at < lengthBytes; at += rowBytes) {
    const address = BigInt.asUintN(64, options.address + BigInt(at));
    const row = options.read(address, Math.min(rowBytes, lengthBytes - at));
    text += `${hex(address, options.addressDigits)}:`;
    if (row === null) return `${text} Cannot access memory\n`;
    for (let i = 0; i < row.length; i += cellBytes) {
      text += ` ${cell(littleEndian(row.subarray(i, i + cellBytes)), cellBytes, options.format)}`;
    }
    text += "\n";
  }
  return text;
}

/** Reads up to 8 bytes as one little-endian number. */
export function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function cell(value: bigint, bytes: number, format: DumpFormat): string {
  const bits = bytes * 8;
  // The widths are QEMU's: a third of the bits for octal, bits * 10/33 for decimal, rounded up.
  switch (format) {
    case "x":
      return `0x${hex(value, bits / 4)}`;
    case "o":
      return octal(value).padStart(Math.ceil(bits / 3));
    case "u":
      return `${value}`.padStart(Math.ceil((bits * 10) / 33));
    case "d":
      // Only 8-byte words are printed with a sign: shorter ones were widened without it.
      return `${BigInt.asIntN(64, value)}`.padStart(Math.ceil((bits * 10) / 33));
    case "c":
      return character(Number(value));
  }
}

/** A value as `print` shows it: alternate forms, no padding. */
export function valueText(value: bigint, format: DumpFormat): string {
  const unsigned = BigInt.asUintN(64, value);
  switch (format) {
    case "x":
      return unsigned === 0n ? "0" : `0x${hex(unsigned, 1)}`;
    case "o":
      return octal(unsigned);
    case "u":
      return `${unsigned}`;
    case "d":
      return `${BigInt.asIntN(64, value)}`;
    case "c":
      return character(Number(unsigned & 0xffn));
  }
}

function octal(value: bigint): string {
  return value === 0n ? "0" : `0${value.toString(8)}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "'": "\\'",
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
};

function character(code: number): string {
  const letter = String.fromCharCode(code);
  const printable = code >= 32 && code <= 126;
  return `'${ESCAPES[letter] ?? (printable ? letter : `\\x${hex(code, 2)}`)}'`;
}
