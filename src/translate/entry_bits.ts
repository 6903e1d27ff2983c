import { formatAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { BitField, EntryKind, NotPresentContent } from "./entry.ts";
import { fieldValue } from "./field_decoder.ts";
import { levelOf, type Regime } from "./regime.ts";

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
  /** How many bits the entry has. */
  readonly widthBits: number;
  /** The level by whose rules it was read. */
  readonly level: number;
  /** The name of that level's table. */
  readonly name: string;
  /** The name of such an entry, such as `PTE`. */
  readonly entryName: string;
  /** The name of the regime by whose rules it was read. */
  readonly mode: string;
  /** What the entry is. */
  readonly kind: EntryKind;
  /** The fields, from bit 0 up. They cover every bit; only the present bit if it is not present. */
  readonly fields: readonly BitReading[];
  /** What Linux keeps in the entry, if it is not present. */
  readonly notPresent?: NotPresentContent;
}

/**
 * Names every bit of an entry by the rules of a level of a regime.
 *
 * @throws {InvalidArgumentError} if the regime has no such level, or the entry does not fit it
 *
 * @example Usage
 * ```ts
 * import { entryBits, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * assertEquals(entryBits(0x8000_0000_3ff0_a863n, 1, context).fields[2]!.meaning, "supervisor only");
 * ```
 */
export function entryBits(raw: bigint, level: number, regime: Regime): EntryBits {
  const { mode, rules, spans } = regime;
  const decoder = levelOf(regime, level);
  if (!decoder) throw noSuchLevel(level, regime);
  const { format, entryBytes } = decoder;
  const widthBits = entryBytes * 8;
  if (raw >> BigInt(widthBits)) {
    throw new InvalidArgumentError(
      `An entry of ${mode} paging has ${widthBits} bits, not more`,
      formatAddress(raw),
    );
  }
  const kind = decoder.kindOf(raw);
  const { name, entryName } = format;
  const about = { raw, widthBits, level, name, entryName, mode, kind };
  const fields = decoder.fieldsOf(raw);
  if (kind !== "notPresent") {
    return { ...about, fields: fields.map((field) => reading(raw, field)) };
  }
  const present = BigInt(spans[0]!.presentBits);
  const shown = fields.filter(({ low, width }) => width === 1 && present >> BigInt(low) & 1n);
  return {
    ...about,
    fields: shown.map((field) => reading(raw, field)),
    notPresent: rules.absentContent(raw, level),
  };
}

function noSuchLevel(level: number, { mode, spans }: Regime): InvalidArgumentError {
  const levels = spans.flatMap((span) => span.levels.map(({ format }) => format));
  const names = levels.map((format) => `${format.level} (${format.name})`).join(", ");
  const has = names ? `levels ${names}` : "no tables";
  return new InvalidArgumentError(`No level ${level} in ${mode} paging, which has ${has}`, level);
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
