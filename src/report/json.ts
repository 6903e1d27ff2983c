import type { Regime } from "../translate/regime.ts";
import type { Rights } from "../translate/rights.ts";
import { formatAddress } from "../core/address.ts";
import { escapeForJson } from "../core/escape.ts";
import { given } from "../core/options.ts";
import type { Walk } from "../translate/walk.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import type { Verdict } from "../verify/verdict.ts";

/** Names of quantities. Nanoseconds are exact for the first 104 days (2^53). */
const QUANTITY = /(Bytes|Ns)$|^sequence$/;

/**
 * Writes a value as JSON: addresses, entries and other bigints as `0x…` strings, but quantities, whose names end in
 * `Bytes` or `Ns` or are `sequence`, as numbers; absent fields left out. Text is exact; what could act on a terminal
 * is written as `\u…`.
 *
 * @example Usage
 * ```ts
 * import { toJson } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(toJson({ root: 0x1000n, sizeBytes: 4096n }), '{"root":"0x1000","sizeBytes":4096}');
 * ```
 */
export function toJson(value: unknown, indent = 0): string {
  const json = JSON.stringify(
    value,
    (key, item) =>
      typeof item !== "bigint" ? item : QUANTITY.test(key) ? Number(item) : formatAddress(item),
    indent,
  );
  // JSON has no text for undefined and functions.
  return json && escapeForJson(json);
}

/** Where a root comes from, as a session's `TableSource` says it. */
export interface RootSource {
  /** Which kind of choice it was. */
  readonly kind: string;
}

/**
 * A walk as plain data for JSON, by the names that {@linkcode Walk} has. `source` says whose table it is.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { walkRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const walk = await guest.walk(0x7f1234567000n);
 * assertEquals(walkRecord(walk, walk.source).source, { kind: "cpu", cpu: 0 });
 * ```
 */
export function walkRecord(walk: Walk, source?: RootSource): Record<string, unknown> {
  const { address, mode, root, outcome, changedDuringWalk } = walk;
  const steps = walk.steps.map(entryRecord);
  const common = { address, root, ...given({ source }), mode, outcome, steps };
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
      return { ...common, entry: entryRecord(walk.entry), changedDuringWalk };
    case "unreadable":
      return {
        ...common,
        entryAddress: walk.entryAddress,
        failure: walk.failure,
        changedDuringWalk,
      };
    case "noTables":
      return { ...common, why: walk.why, changedDuringWalk };
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
 * const verdict = await guest.verify(0x7f1234567000n);
 * assertEquals(verdictRecord(verdict, verdict.walk.source).verdict, "pass");
 * ```
 */
export function verdictRecord(verdict: Verdict, source?: RootSource): Record<string, unknown> {
  return {
    ...walkRecord(verdict.walk, source),
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

/**
 * A page-table entry as plain data for JSON: where it stands and its value, by the names that
 * {@linkcode PageTableEntry} has; `reservedBits` only if any is set.
 */
export function entryRecord(entry: PageTableEntry): Record<string, unknown> {
  const { level, name, index, address, raw, reservedBits } = entry;
  return { level, name, index, address, raw, ...reservedBits !== 0n && { reservedBits } };
}
