import { InvalidArgumentError } from "../core/errors.ts";
import { fieldValue } from "./field_decoder.ts";
import { levelOf, type Regime } from "./regime.ts";

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
 * @param level the level of the table that holds the entry, by the architecture's count
 * @throws {InvalidArgumentError} if the regime has no such level
 *
 * @example Usage
 * ```ts
 * import { diffEntries, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * const changes = diffEntries(0x800000003ff0a867n, 0x800000003ff0a863n, 1, context);
 * assertEquals(changes.map((c) => `${c.linuxName} ${c.before} -> ${c.after}`), ["_PAGE_USER 1 -> 0"]);
 * ```
 */
export function diffEntries(
  before: bigint,
  after: bigint,
  level: number,
  regime: Regime,
): FieldChange[] {
  const decoder = levelOf(regime, level);
  if (!decoder) throw new InvalidArgumentError(`No level ${level} in ${regime.mode} paging`, level);
  const isGone = decoder.kindOf(after) === "notPresent";
  const shape = isGone && decoder.kindOf(before) !== "notPresent" ? before : after;
  return decoder.fieldsOf(shape).flatMap((field) => {
    const [was, is] = [fieldValue(before, field), fieldValue(after, field)];
    if (was === is) return [];
    const { low, width, name, linuxName } = field;
    return [{ low, width, name, ...linuxName && { linuxName }, before: was, after: is }];
  });
}
