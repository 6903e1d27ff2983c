import { describeFault } from "../translate/address_space.ts";
import { describeMayBeBeyond } from "../translate/reserved_bits.ts";
import { entryNameOf } from "../translate/regime.ts";
import type { Right } from "../translate/rights.ts";
import type { MappedWalk, Walk } from "../translate/walk.ts";
import {
  completeExpectation,
  type Expectation,
  requireRights,
  USER_CLEARED,
} from "./expectation.ts";

/** Whether an expectation holds; `inconclusive` if there was no page to judge. */
export type VerdictKind = "pass" | "fail" | "inconclusive";

/** One right that is not as expected. */
export interface Mismatch {
  /** The right. */
  readonly right: Right;
  /** What was expected of it. */
  readonly expected: boolean;
  /** What it is. */
  readonly actual: boolean;
  /** The level that decides it, 5 to 1. */
  readonly level: number;
}

/** The judgement of one address. */
export interface Verdict {
  /** Whether the expectation holds. */
  readonly verdict: VerdictKind;
  /** Why, in one sentence. */
  readonly reason: string;
  /** Each right that is not as expected. */
  readonly mismatches: readonly Mismatch[];
  /** What was expected. */
  readonly expectation: Expectation;
  /** What the tables say. */
  readonly walk: Walk;
}

/** Why there is no verdict on tables that were changing. */
export const CHANGED =
  "the guest changed these tables while they were read: try again, or freeze the guest";

/**
 * Judges a walk against an expectation. Pure: nothing is read.
 *
 * @throws {InvalidArgumentError} if the expectation contradicts itself or names nothing
 *
 * @example Usage
 * ```ts
 * import { judge, pagingContext, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const found = await walk(guest.memory, context, 0x7f1234567000n);
 * assertEquals(judge(found, { user: false }).verdict, "pass");
 * ```
 */
export function judge(walk: Walk, expectation: Expectation = USER_CLEARED): Verdict {
  const { present, rights, scope } = completeExpectation(expectation);
  requireRights(walk.regime, rights);
  const about = { expectation, walk };
  if (walk.changedDuringWalk) {
    return { ...about, verdict: "inconclusive", reason: CHANGED, mismatches: [] };
  }
  if (walk.outcome !== "mapped") {
    const knownAbsent = walk.outcome === "notPresent" || walk.outcome === "nonCanonical";
    const verdict = !present && knownAbsent ? "pass" : "inconclusive";
    return { ...about, verdict, reason: describeFault(walk), mismatches: [] };
  }
  if (walk.mayBeBeyond) {
    const reason = describeMayBeBeyond(walk.regime, walk.physicalAddress);
    return { ...about, verdict: "inconclusive", reason, mismatches: [] };
  }
  return { ...about, ...judgePage(walk, { present, rights, scope }) };
}

/** What a verdict needs to know of a page that is mapped. */
export type JudgedPage = Pick<MappedWalk, "regime" | "leaf" | "effective" | "decidedBy">;

/** Judges a page that is mapped against a complete expectation: the one rule for walks and ranges. */
export function judgePage(
  page: JudgedPage,
  { present, rights, scope }: ReturnType<typeof completeExpectation>,
): Pick<Verdict, "verdict" | "reason" | "mismatches"> {
  if (!present) return { verdict: "fail", reason: "a page is mapped there", mismatches: [] };
  const mismatches = mismatchesOf(page, rights, scope);
  const verdict = mismatches.length === 0 ? "pass" : "fail";
  const judged = mismatches.length > 0
    ? mismatches.map((m) => m.right)
    : Object.keys(rights) as Right[];
  const reason = judged.map((right) => describeRight(page, right, scope)).join("; ") ||
    "a page is mapped there";
  return { verdict, reason, mismatches };
}

function mismatchesOf(
  walk: JudgedPage,
  rights: Partial<Record<Right, boolean>>,
  scope: "leaf" | "effective",
): Mismatch[] {
  const actualRights = scope === "leaf" ? walk.leaf : walk.effective;
  const leafLevel = walk.decidedBy.present;
  return (Object.entries(rights) as [Right, boolean][])
    .filter(([right, expected]) => actualRights[right] !== expected)
    .map(([right, expected]) => ({
      right,
      expected,
      actual: !expected,
      level: scope === "leaf" ? leafLevel : walk.decidedBy[right] ?? leafLevel,
    }));
}

/** Tells "the leaf says so" from "the leaf says otherwise, but a level above takes it away". */
function describeRight(walk: JudgedPage, right: Right, scope: "leaf" | "effective"): string {
  const { regime, decidedBy } = walk;
  const { name: bit, setWhenGranted } = regime.rules.rights.bits[right] ??
    { name: right, setWhenGranted: true };
  const stateOf = (granted: boolean | undefined) =>
    (granted ?? true) === setWhenGranted ? "set" : "cleared";
  const leafName = entryNameOf(regime, decidedBy.present);
  const leaf = `${bit} is ${stateOf(walk.leaf[right])} in the ${leafName}`;
  if (walk.leaf[right] === walk.effective[right]) {
    return scope === "effective" && walk.effective[right]
      ? `${leaf} and on every level above`
      : leaf;
  }
  const decider = entryNameOf(regime, decidedBy[right] ?? decidedBy.present);
  return `${leaf}, but the ${decider} above it has it ${stateOf(walk.effective[right])}`;
}
