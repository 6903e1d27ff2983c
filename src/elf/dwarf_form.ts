import type { ByteCursor } from "./byte_cursor.ts";
import { ElfFormatError } from "./errors.ts";

/** What of a unit reading its values takes. */
export interface UnitFormat {
  /** Where the unit begins in `.debug_info`: references within it count from there. */
  readonly start: number;
  /** DWARF's version, 2 to 5. */
  readonly version: number;
  /** How many bytes an offset has: 4, or 8 in DWARF's own 64-bit form. */
  readonly offsetBytes: 4 | 8;
  /** How many bytes an address has. */
  readonly addressBytes: number;
}

/** A value: a number, a text, a place in another section, or bytes. */
export type FormValue =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "textAt"; readonly section: "str" | "line_str"; readonly offset: number }
  | { readonly kind: "textIndex"; readonly index: number }
  | { readonly kind: "entry"; readonly offset: number }
  | { readonly kind: "block"; readonly at: number; readonly lengthBytes: number }
  | { readonly kind: "other" };

const OTHER: FormValue = { kind: "other" };

/** How many bytes the forms have that are only passed over, or are plain numbers (DWARF 5, 7.5.6). */
const NUMBER_BYTES: Readonly<Record<number, number>> = {
  ...{ 0x05: 2, 0x06: 4, 0x07: 8, 0x0b: 1, 0x0c: 1 },
};
const INDEX_BYTES: Readonly<Record<number, number>> = { 0x25: 1, 0x26: 2, 0x28: 4 };
const PASSED_BYTES: Readonly<Record<number, number>> = {
  ...{ 0x1e: 16, 0x20: 8, 0x1c: 4, 0x24: 8, 0x29: 1, 0x2a: 2, 0x2b: 3, 0x2c: 4 },
};
const REFERENCE_BYTES: Readonly<Record<number, number>> = { 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8 };
const BLOCK_LENGTH_BYTES: Readonly<Record<number, number>> = { 0x0a: 1, 0x03: 2, 0x04: 4 };

const FORM = {
  ...{ addr: 0x01, string: 0x08, block: 0x09, sdata: 0x0d, strp: 0x0e, udata: 0x0f },
  ...{ refAddr: 0x10, refUdata: 0x15, indirect: 0x16, secOffset: 0x17, exprloc: 0x18 },
  ...{ flagPresent: 0x19, strx: 0x1a, addrx: 0x1b, strpSup: 0x1d, lineStrp: 0x1f },
  ...{ implicitConst: 0x21, loclistx: 0x22, rnglistx: 0x23, strx3: 0x27 },
} as const;

/**
 * Reads the value of an attribute, DWARF 2 to 5.
 *
 * @param implicit the value of one that the abbreviation has
 * @throws {ElfFormatError} if its form is not known: then nothing behind it can be read
 */
export function readForm(
  cursor: ByteCursor,
  form: number,
  unit: UnitFormat,
  implicit: bigint,
): FormValue {
  const number = NUMBER_BYTES[form];
  if (number !== undefined) return { kind: "number", value: cursor.unsigned(number) };
  const reference = REFERENCE_BYTES[form];
  if (reference !== undefined) return entry(unit.start + cursor.number(reference));
  const index = INDEX_BYTES[form];
  if (index !== undefined) return { kind: "textIndex", index: cursor.number(index) };
  const blockLength = BLOCK_LENGTH_BYTES[form];
  if (blockLength !== undefined) return block(cursor, cursor.number(blockLength));
  const passed = PASSED_BYTES[form];
  if (passed !== undefined) return pass(cursor, passed);
  switch (form) {
    case FORM.addr:
      return { kind: "number", value: cursor.unsigned(unit.addressBytes) };
    case FORM.string:
      return { kind: "text", text: cursor.text() };
    case FORM.block:
    case FORM.exprloc:
      return block(cursor, Number(cursor.uleb()));
    case FORM.sdata:
      return { kind: "number", value: cursor.sleb() };
    case FORM.udata:
      return { kind: "number", value: cursor.uleb() };
    case FORM.strp:
      return { kind: "textAt", section: "str", offset: cursor.number(unit.offsetBytes) };
    case FORM.lineStrp:
      return { kind: "textAt", section: "line_str", offset: cursor.number(unit.offsetBytes) };
    case FORM.strx:
      return { kind: "textIndex", index: Number(cursor.uleb()) };
    case FORM.strx3:
      return { kind: "textIndex", index: cursor.number(2) + cursor.number(1) * 0x1_0000 };
    case FORM.refAddr:
      return entry(cursor.number(unit.version === 2 ? unit.addressBytes : unit.offsetBytes));
    case FORM.refUdata:
      return entry(unit.start + Number(cursor.uleb()));
    case FORM.secOffset:
      return { kind: "number", value: cursor.unsigned(unit.offsetBytes) };
    case FORM.strpSup:
      return pass(cursor, unit.offsetBytes);
    case FORM.flagPresent:
      return { kind: "number", value: 1n };
    case FORM.implicitConst:
      return { kind: "number", value: implicit };
    case FORM.addrx:
    case FORM.loclistx:
    case FORM.rnglistx:
      cursor.uleb();
      return OTHER;
    case FORM.indirect: {
      const actual = Number(cursor.uleb());
      if (actual !== FORM.indirect) return readForm(cursor, actual, unit, implicit);
    }
  }
  throw new ElfFormatError(`has DWARF of a form that is not read (0x${form.toString(16)})`);
}

function entry(offset: number): FormValue {
  return { kind: "entry", offset };
}

function block(cursor: ByteCursor, lengthBytes: number): FormValue {
  return { kind: "block", at: cursor.skip(lengthBytes), lengthBytes };
}

function pass(cursor: ByteCursor, lengthBytes: number): FormValue {
  cursor.skip(lengthBytes);
  return OTHER;
}

/** One attribute of an abbreviation: which, in what form, and the value if the abbreviation has it. */
export interface AbbreviatedAttribute {
  readonly name: number;
  readonly form: number;
  readonly implicit: bigint;
}

/** What entries with one code have in common. */
export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly AbbreviatedAttribute[];
}

/** Reads a table of `.debug_abbrev` by its codes. */
export function readAbbreviations(cursor: ByteCursor): Map<number, Abbreviation> {
  const table = new Map<number, Abbreviation>();
  for (let code = Number(cursor.uleb()); code !== 0; code = Number(cursor.uleb())) {
    const tag = Number(cursor.uleb());
    const hasChildren = cursor.number(1) !== 0;
    const attributes: AbbreviatedAttribute[] = [];
    for (;;) {
      const [name, form] = [Number(cursor.uleb()), Number(cursor.uleb())];
      const implicit = form === FORM.implicitConst ? cursor.sleb() : 0n;
      if (name === 0 && form === 0) break;
      attributes.push({ name, form, implicit });
    }
    table.set(code, { tag, hasChildren, attributes });
  }
  return table;
}
