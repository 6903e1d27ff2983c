import { formatAddress } from "../core/address.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import { addressDigits, entryNameOf, type Regime } from "../translate/regime.ts";
import type { EntryDifference } from "../snapshot/diff.ts";
import { formatSize } from "./size.ts";

/**
 * Writes a difference as a line: `+` appeared, `-` vanished, `~` changed with the fields that did, `?`
 * not compared.
 *
 * @example Usage
 * ```ts
 * import { connect, diff } from "@pagewalk/pagewalk";
 * import { differenceLine } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * const { context } = await guest.pageTable();
 * const before = await guest.snapshot();
 * for await (const difference of diff(before, { memory: guest.memory, context })) {
 *   console.log(differenceLine(difference, context));
 * }
 * ```
 */
export function differenceLine(difference: EntryDifference, regime: Regime): string {
  const { address, lengthBytes } = difference;
  const digits = addressDigits(regime);
  const where = `${formatAddress(address, digits)} ${formatSize(lengthBytes).padStart(7)}`;
  switch (difference.kind) {
    case "appeared":
      return `+ ${where} ${entryText(difference.entry, regime)}`;
    case "vanished":
      return `- ${where} ${entryText(difference.entry, regime)}`;
    case "changed": {
      const { before, after, fields } = difference;
      const flips = fields.map((field) => {
        const isBit = field.width === 1;
        const write = (value: bigint) => isBit ? String(value) : formatAddress(value);
        return `${field.linuxName ?? field.name} ${write(field.before)} -> ${write(field.after)}`;
      });
      return `~ ${where} ${entryText(before, regime)} -> ${formatAddress(after.raw)}: ${
        flips.join(", ")
      }`;
    }
    case "notCompared": {
      const { side, record } = difference;
      const why = record.kind === "truncated"
        ? "its listing ended here; --max-tables allows more"
        : `its table at ${formatAddress(record.table)} could not be read`;
      return `? ${where} not compared: ${side}, ${why}`;
    }
  }
}

/**
 * A difference as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { connect, diff } from "@pagewalk/pagewalk";
 * import { differenceRecord, toJson } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * const before = await guest.snapshot();
 * for await (const difference of diff(before, await guest.snapshot())) {
 *   console.log(toJson(differenceRecord(difference)));
 * }
 * ```
 */
export function differenceRecord(difference: EntryDifference): Record<string, unknown> {
  const { kind, address, lengthBytes } = difference;
  switch (difference.kind) {
    case "appeared":
    case "vanished": {
      const { level, address: entryAddress, raw } = difference.entry;
      return { kind, address, lengthBytes, level, entryAddress, entry: raw };
    }
    case "changed": {
      const { before, after, flipped, fields } = difference;
      return {
        ...{ kind, address, lengthBytes, level: after.level },
        before: { entryAddress: before.address, entry: before.raw },
        after: { entryAddress: after.address, entry: after.raw },
        ...{ flipped, fields },
      };
    }
    case "notCompared":
      return { kind, address, lengthBytes, side: difference.side, cause: difference.record.kind };
  }
}

function entryText(entry: PageTableEntry, regime: Regime): string {
  return `${entryNameOf(regime, entry.level)} ${formatAddress(entry.raw)}`;
}
