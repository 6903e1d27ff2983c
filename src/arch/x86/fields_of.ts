import { InvalidArgumentError } from "../../core/errors.ts";
import type { PagingModeName } from "./paging_context.ts";
import type { BitField } from "./bit_fields.ts";
import { type LevelFormat, PAGING_MODES } from "./modes.ts";

const PAGE_SIZE = 1n << 7n;

/**
 * Returns a level's format in a mode.
 *
 * @throws {InvalidArgumentError} if the mode has no such level
 */
export function levelFormat(level: number, modeName: PagingModeName): LevelFormat {
  const mode = PAGING_MODES[modeName];
  const format = mode?.levels.find((candidate) => candidate.level === level);
  if (format) return format;
  const levels = mode?.levels.map((l) => `${l.level} (${l.name})`).join(", ");
  const has = levels ? `levels ${levels}` : "no tables";
  throw new InvalidArgumentError(
    `No level ${level} in ${modeName} paging, which has ${has}`,
    level,
  );
}

/** Returns the fields of a present entry, from bit 0 up; they cover every bit of it once. */
export function fieldsOf(
  raw: bigint,
  format: LevelFormat,
  modeName: PagingModeName,
): { kind: "page" | "table"; fields: BitField[] } {
  const isPage = !format.table || (format.page !== undefined && Boolean(raw & PAGE_SIZE));
  const known = isPage ? format.page! : format.table!;
  const fields = withReserved(known, PAGING_MODES[modeName].entryBytes * 8);
  return { kind: isPage ? "page" : "table", fields };
}

/** Cuts a field out of an entry; a part of an address is shifted to where it stands physically. */
export function fieldValue(raw: bigint, { low, width, addressBit }: BitField): bigint {
  const value = (raw >> BigInt(low)) & ((1n << BigInt(width)) - 1n);
  return addressBit === undefined ? value : value << BigInt(addressBit);
}

/** Fills the gaps between the fields, whose bits are reserved. */
function withReserved(fields: readonly BitField[], entryBits: number): BitField[] {
  const all: BitField[] = [];
  let next = 0;
  const end: BitField = { low: entryBits, width: 0, name: "", meaning: "" };
  for (const field of [...fields, end].toSorted((a, b) => a.low - b.low)) {
    if (field.low > next) {
      all.push({ low: next, width: field.low - next, name: "reserved", meaning: "must be 0" });
    }
    all.push(field);
    next = field.low + field.width;
  }
  return all.slice(0, -1);
}
