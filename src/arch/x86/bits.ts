import { type AddressLike, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { PagingModeName } from "./paging_context.ts";
import type { BitField } from "./bit_fields.ts";
import { fieldsOf, fieldValue, levelFormat } from "./fields_of.ts";
import type { EntryKind } from "./entry.ts";
import { type LevelName, PAGING_MODES, type PagingLevel } from "./modes.ts";
import { decodeNotPresent, type NotPresentContent } from "./not_present.ts";

/** One field of an entry with its value. */
export interface BitReading {
  /** The lowest bit of the field, 0 being the lowest of the entry. */
  readonly low: number;
  /** How many bits the field has. */
  readonly width: number;
  /** The architecture's name; `reserved` for bits that must be 0. */
  readonly name: string;
  /** Linux's name, where it has one. */
  readonly linuxName?: string;
  /** The field's value; for an address, the address. */
  readonly value: bigint;
  /** What the value says. */
  readonly meaning: string;
}

/** Every bit of an entry, named. */
export interface EntryBits {
  /** The entry. */
  readonly raw: bigint;
  /** The level by whose rules it was read, 5 to 1. */
  readonly level: PagingLevel;
  /** The name of that level's table. */
  readonly name: LevelName;
  /** The name of such an entry, such as `PTE`. */
  readonly entryName: string;
  /** The paging mode by whose rules it was read. */
  readonly mode: PagingModeName;
  /** What the entry is. */
  readonly kind: EntryKind;
  /** The fields, from bit 0 up. They cover every bit; only P if the entry is not present. */
  readonly fields: readonly BitReading[];
  /** What Linux keeps in the entry, if it is not present. */
  readonly notPresent?: NotPresentContent;
}

/** Options of {@linkcode bits}. */
export interface BitsOptions {
  /**
   * The level of the table that holds the entry, 5 to 1; level 1 is the PT.
   *
   * @default {1}
   */
  level?: number;
  /**
   * The paging mode.
   *
   * @default {"4-level"}, or {"5-level"} for level 5
   */
  mode?: PagingModeName;
}

/**
 * Names every bit of a page-table entry: the architecture's names and Linux's, with what each value
 * says. An entry that is not present is read as Linux writes it.
 *
 * @throws {InvalidArgumentError} if the mode has no such level, or the entry does not fit it
 *
 * @example Usage
 * ```ts
 * import { bits } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const { fields } = bits(0x8000_0000_3ff0_a863n);
 * const user = fields.find((field) => field.linuxName === "_PAGE_USER");
 * assertEquals(user?.meaning, "supervisor only");
 * ```
 */
export function bits(entry: AddressLike, options: BitsOptions = {}): EntryBits {
  const raw = parseAddress(entry);
  const level = options.level ?? 1;
  const modeName = options.mode ?? (level === 5 ? "5-level" : "4-level");
  const format = levelFormat(level, modeName);
  if (raw >> BigInt(PAGING_MODES[modeName].entryBytes * 8)) {
    throw new InvalidArgumentError(`An entry of ${modeName} paging has 32 bits, not more`, entry);
  }
  const named = {
    raw,
    level: format.level,
    name: format.name,
    entryName: format.entryName,
    mode: modeName,
  };
  if (!(raw & 1n)) {
    const fields = [{
      low: 0,
      width: 1,
      name: "P",
      linuxName: "_PAGE_PRESENT",
      value: 0n,
      meaning: "not present",
    }];
    return { ...named, kind: "notPresent", fields, notPresent: decodeNotPresent(raw, modeName) };
  }
  const { kind, fields } = fieldsOf(raw, format, modeName);
  return { ...named, kind, fields: fields.map((field) => reading(raw, field)) };
}

function reading(raw: bigint, field: BitField): BitReading {
  const { low, width, name, linuxName } = field;
  const value = fieldValue(raw, field);
  return {
    low,
    width,
    name,
    ...linuxName && { linuxName },
    value,
    meaning: width === 1 && value === 0n
      ? field.whenClear ?? (field.flag ? `not ${field.meaning}` : "clear")
      : field.meaning,
  };
}
