import type { ProcessName } from "../audit/finding.ts";
import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import type { AliasRecord } from "../translate/aliases.ts";
import { entryRecord } from "./json.ts";
import { mappingRecord } from "./mappings_record.ts";
import { rightsText } from "./mappings_text.ts";
import { formatSize } from "./size.ts";

/** What came of the address spaces of all processes: how many there are of each outcome. */
export interface AllTally {
  /** Address spaces of processes. */
  readonly spaces: number;
  /** Processes without one, and the kernel's threads. */
  readonly withoutMemory: number;
  /** How many came to each outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
}

/** What each outcome but the good one means. */
const NOT_WHOLE: readonly (readonly [outcome: string, says: string])[] = [
  ["partial", "only in part (tables that could not be read, or too many)"],
  ["ended", "not, as they ended or ran another program meanwhile"],
  ["left out", "not, as there were too many tables: a higher limit allows more"],
];

/**
 * Names a process in a line.
 *
 * @example Usage
 * ```ts
 * import { processText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(processText({ pid: 84, comm: "target" }), "pid 84 target");
 * ```
 */
export function processText({ pid, comm }: ProcessName): string {
  return `pid ${pid} ${escapeText(comm)}`;
}

/**
 * Says in one line how many processes were looked at, and how many were not, and why.
 *
 * @param done what was done with them, such as `audited`
 *
 * @example Usage
 * ```ts
 * import { allTallyText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const outcomes = new Map([["audited", 7], ["ended", 1]]);
 * assertEquals(
 *   allTallyText({ spaces: 8, withoutMemory: 50, outcomes }, "audited"),
 *   "the kernel and 7 of 8 processes with memory audited; " +
 *     "1 not, as they ended or ran another program meanwhile; 50 tasks have no memory of their own",
 * );
 * ```
 */
export function allTallyText(
  { spaces, withoutMemory, outcomes }: AllTally,
  done: string,
): string {
  const others = NOT_WHOLE.flatMap(([outcome, says]) => {
    const count = outcomes.get(outcome) ?? 0;
    return count === 0 ? [] : [`${count} ${says}`];
  });
  const whole = outcomes.get(done) ?? 0;
  return [
    `the kernel and ${whole} of ${spaces} processes with memory ${done}`,
    ...others,
    `${withoutMemory} tasks have no memory of their own`,
  ].join("; ");
}

/**
 * Writes a virtual address that reaches a physical one as a line, or why there may be more of them.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { aliasLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const physical = await guest.translate(0x7f1234577008n);
 * const [first] = await Array.fromAsync(guest.aliases(physical!));
 * assertEquals(aliasLine(first!), "0x00007f1234577008  4 KiB page  urw-");
 * ```
 */
export function aliasLine(
  alias: AliasRecord,
  address: (value: bigint) => string = (value) => formatAddress(value, 16),
): string {
  switch (alias.kind) {
    case "alias":
      return `${address(alias.address)}  ${formatSize(alias.pageSizeBytes)} page  ${
        rightsText(alias.effective)
      }`;
    case "unreadable":
      return `${address(alias.address)}  the table could not be read: there may be more`;
    case "truncated":
      return `${address(alias.address)}  the search ended here: a larger limit finds more`;
  }
}

/**
 * A virtual address that reaches a physical one, or why there may be more of them, as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { aliasRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const physical = await guest.translate(0x7f1234577008n);
 * const [first] = await Array.fromAsync(guest.aliases(physical!));
 * assertEquals(aliasRecord(first!).address, 0x7f1234577008n);
 * ```
 */
export function aliasRecord(alias: AliasRecord): Record<string, unknown> {
  if (alias.kind !== "alias") return mappingRecord(alias);
  const { kind, address, pageSizeBytes, entry, leaf, effective, decidedBy } = alias;
  return {
    ...{ kind, address, pageSizeBytes },
    ...entry && { entry: entryRecord(entry) },
    ...{ leaf, effective, decidedBy },
  };
}
