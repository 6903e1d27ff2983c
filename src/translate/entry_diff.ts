import type { PagingModeName } from "../arch/x86/paging_context.ts";
import { fieldsOf, fieldValue, levelFormat } from "../arch/x86/fields_of.ts";

/** One field of an entry that is not what it was. */
export interface FieldChange {
  /** The lowest bit of the field, 0 being the lowest of the entry. */
  readonly low: number;
  /** How many bits the field has. */
  readonly width: number;
  /** The architecture's name. */
  readonly name: string;
  /** Linux's name, where it has one. */
  readonly linuxName?: string;
  /** The field's value before; for an address, the address. */
  readonly before: bigint;
  /** The field's value now. */
  readonly after: bigint;
}

/**
 * Says which fields of an entry changed. Where the entry changed its kind (a page became a table, or
 * absent) the fields are those of what it is now or, if it is absent now, of what it was.
 *
 * @param level the level of the table that holds the entry, 5 to 1; level 1 is the PT
 * @throws {InvalidArgumentError} if the mode has no such level
 *
 * @example Usage
 * ```ts
 * import { diffEntries } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const changes = diffEntries(0x800000003ff0a867n, 0x800000003ff0a863n, 1, "4-level");
 * assertEquals(changes.map((c) => `${c.linuxName} ${c.before} -> ${c.after}`), ["_PAGE_USER 1 -> 0"]);
 * ```
 */
export function diffEntries(
  before: bigint,
  after: bigint,
  level: number,
  mode: PagingModeName,
): FieldChange[] {
  const shape = after & 1n || !(before & 1n) ? after : before;
  const { fields } = fieldsOf(shape, levelFormat(level, mode), mode);
  return fields.flatMap((field) => {
    const [was, is] = [fieldValue(before, field), fieldValue(after, field)];
    if (was === is) return [];
    const { low, width, name, linuxName } = field;
    return [{ low, width, name, ...linuxName && { linuxName }, before: was, after: is }];
  });
}
