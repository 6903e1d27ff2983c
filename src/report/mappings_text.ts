import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import { describeRootOutsideRam } from "../translate/address_space.ts";
import { describeNotPresent } from "../translate/describe_not_present.ts";
import { describeReservedBits } from "../translate/reserved_bits.ts";
import type { Rights } from "../translate/rights.ts";
import type { Mapping, MappingRecord } from "../translate/mappings.ts";
import { addressDigits, entryNameOf, type Regime } from "../translate/regime.ts";
import { formatSize } from "./size.ts";

/**
 * The head of the columns that {@linkcode mappingLine} writes.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { mappingsHead } from "@pagewalk/pagewalk/report";
 * import { assert } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { context } = await guest.pageTable();
 * assert(mappingsHead(context).startsWith("linear addresses"));
 * ```
 */
export function mappingsHead(regime: Regime): string {
  const digits = addressDigits(regime);
  const width = 2 * digits + 5;
  const { addressName } = regime.rules;
  const addresses = addressName === undefined ? "linear addresses" : `${addressName}s`;
  return `${addresses.padEnd(width)} ${"length".padStart(9)} ${"page".padStart(6)} ` +
    `rights cache ${"physical".padEnd(digits + 2)} note`;
}

/**
 * Writes one record of a listing as a line. The rights are those that all levels leave, as `urwx`; where
 * the last entry alone would give more, the note says so and names the level that decides.
 *
 * @param name what is at the address: a memory area's file, or its name
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { mappingLine } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * const { context } = await guest.pageTable();
 * for await (const record of guest.mappings({ start: 0x7f1234567000n, lengthBytes: 8192 })) {
 *   console.log(mappingLine(record, context));
 * }
 * ```
 */
export function mappingLine(record: MappingRecord, regime: Regime, name = ""): string {
  const digits = addressDigits(regime);
  const last = record.address + BigInt(record.lengthBytes) - 1n;
  const where = `${formatAddress(record.address, digits)}-${formatAddress(last, digits)}`;
  const length = formatSize(record.lengthBytes).padStart(9);
  const shown = escapeText(name);
  if (record.kind !== "mapping") {
    const note = noteOf(record, regime);
    return `${where} ${length} ${shown === "" ? note : `${shown}: ${note}`}`;
  }
  const physical = record.physicalAddress === null
    ? "scattered"
    : formatAddress(record.physicalAddress, digits);
  return [
    where,
    length,
    formatSize(record.pageSizeBytes).padStart(6),
    rightsText(record.effective).padEnd(6),
    record.cacheType.padEnd(5),
    physical.padEnd(digits + 2),
    [shown, leafNote(record, regime)].filter((text) => text !== "").join("; "),
  ].join(" ").trimEnd();
}

/**
 * Writes rights as `urwx`: user, read, write, execute, with `-` for what is not allowed.
 *
 * @example Usage
 * ```ts
 * import { rightsText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(rightsText({ user: false, writable: true, executable: false }), "-rw-");
 * ```
 */
export function rightsText({ user, writable, executable, readable = true }: Rights): string {
  return `${user ? "u" : "-"}${readable ? "r" : "-"}${writable ? "w" : "-"}${
    executable ? "x" : "-"
  }`;
}

function leafNote({ leaf, effective, decidedBy }: Mapping, regime: Regime): string {
  const taken = regime.rules.rights.names.filter((right) => leaf[right] && !effective[right]);
  if (taken.length === 0) return "";
  const deciders = taken.map((right) => {
    const decider = entryNameOf(regime, decidedBy[right] ?? decidedBy.present);
    return `${decider} decides ${right}`;
  });
  return `leaf ${rightsText(leaf)}, ${deciders.join(", ")}`;
}

function noteOf(record: Exclude<MappingRecord, Mapping>, regime: Regime): string {
  switch (record.kind) {
    case "shared":
      return `same tables as at ${formatAddress(record.sharedWith)}`;
    case "unreadable":
      if (record.failure !== "outsideRam") {
        return `the table at ${formatAddress(record.table)} could not be read`;
      }
      return record.entry === undefined
        ? describeRootOutsideRam(record.table)
        : `corrupt: the table would be at ${formatAddress(record.table)}, outside RAM`;
    case "reservedBits": {
      const { entry, entries } = record;
      const which = `${entry.name} entry ${formatAddress(entry.raw)}`;
      const others = entries === 1 ? "" : ` and ${entries - 1} more like it: each`;
      return `${which}${others} ${describeReservedBits(entry, regime)}`;
    }
    case "notPresent": {
      const { content, entry } = record;
      return `not present: ${describeNotPresent(content)} (entry ${formatAddress(entry.raw)})`;
    }
    case "changed":
      return "the guest changed these tables while they were read";
    case "truncated":
      return `the listing ended here after ${record.tables} tables, its limit`;
  }
}
