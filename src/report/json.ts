import type { Regime } from "../translate/regime.ts";
import type { Rights } from "../translate/rights.ts";
import { formatAddress } from "../core/address.ts";
import { escapeForJson } from "../core/escape.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import type { Walk } from "../translate/walk.ts";
import type { Verdict } from "../verify/verdict.ts";

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Writes a value as JSON, addresses and other bigints as `0x…` strings, absent fields left out. Text is exact; what
 * could act on a terminal is written as `\u…`.
 *
 * @example Usage
 * ```ts
 * import { toJson } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(toJson({ root: 0x1000n }), '{"root":"0x1000"}');
 * ```
 */
export function toJson(value: unknown, indent = 0): string {
  const json = JSON.stringify(
    value,
    (_key, item) => typeof item === "bigint" ? formatAddress(item) : item,
    indent,
  );
  // JSON has no text for undefined and functions.
  return json && escapeForJson(json);
}

/**
 * A walk as plain data for JSON: one row a level. `rootSource` says whose table it is.
 *
 * @example Usage
 * ```ts
 * import { connect, describeSource } from "@pagewalk/pagewalk";
 * import { walkRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const walk = await guest.walk(0x7f1234567000n);
 * assertEquals(walkRecord(walk, describeSource(walk.source)).rootSource, "vCPU 0");
 * ```
 */
export function walkRecord(walk: Walk, rootSource: string): Record<string, unknown> {
  const { address, mode, root, outcome, steps, changedDuringWalk } = walk;
  const common = { address, root, rootSource, mode, outcome, levels: steps.map(levelRecord) };
  switch (walk.outcome) {
    case "mapped": {
      const { physicalAddress, pageSizeBytes, leaf, effective, decidedBy } = walk;
      return {
        ...common,
        physicalAddress,
        pageSizeBytes,
        leaf,
        effective,
        ...privilegesRecord(effective, walk.regime),
        decidedBy,
        changedDuringWalk,
      };
    }
    case "reservedBits":
      return { ...common, reservedBits: walk.entry.reservedBits, changedDuringWalk };
    case "unreadable":
      return {
        ...common,
        entryAddress: walk.entryAddress,
        failure: walk.failure,
        changedDuringWalk,
      };
    case "noTables":
      return { ...common, noTables: walk.why.kind, changedDuringWalk };
    case "notPresent":
    case "nonCanonical":
      return { ...common, changedDuringWalk };
  }
}

/**
 * A verdict as plain data for JSON: the walk's fields, then `verdict` and `reason`.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { verdictRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const record = verdictRecord(await guest.verify(0x7f1234567000n), "vCPU 0");
 * assertEquals(record.verdict, "pass");
 * ```
 */
export function verdictRecord(verdict: Verdict, rootSource: string): Record<string, unknown> {
  return {
    ...walkRecord(verdict.walk, rootSource),
    expectation: verdict.expectation,
    verdict: verdict.verdict,
    reason: verdict.reason,
  };
}

/**
 * What each privilege may do with a page, as plain data for JSON: nothing where the architecture has no
 * rights that differ by it.
 *
 * @example Usage
 * ```ts
 * import { riscvRegime } from "@pagewalk/pagewalk";
 * import { privilegesRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const rights = { user: true, readable: true, writable: true, executable: false };
 * assertEquals(privilegesRecord(rights, riscvRegime("Sv39", 0n)), {
 *   privileges: { U: "rw-", S: "---", "S+SUM": "rw-" },
 * });
 * ```
 */
export function privilegesRecord(
  rights: Rights,
  regime: Regime,
): { privileges?: Readonly<Record<string, string>> } {
  const privileges = regime.rules.rights.byPrivilege?.(rights);
  return privileges ? { privileges } : {};
}

function levelRecord(entry: PageTableEntry): Record<string, unknown> {
  const { level, name, index, address, raw } = entry;
  return { level, name, index, entryAddress: address, entry: raw };
}
