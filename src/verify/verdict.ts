import { describeFault } from "../translate/address_space.ts";
import { PAGING_MODES } from "../arch/x86/modes.ts";
import { describeMayBeBeyond } from "../arch/x86/physical_bits.ts";
import type { Right } from "../arch/x86/rights.ts";
import type { MappedWalk, Walk } from "../translate/walk.ts";
import { completeExpectation, type Expectation, USER_CLEARED } from "./expectation.ts";

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

/** Linux's name of the bit behind each right, and the value of the bit when the right is given. */
const BIT_OF: Record<Right, { bit: string; setWhenGranted: boolean }> = {
  user: { bit: "_PAGE_USER", setWhenGranted: true },
  writable: { bit: "_PAGE_RW", setWhenGranted: true },
  executable: { bit: "_PAGE_NX", setWhenGranted: false },
};

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
    const reason = describeMayBeBeyond(walk.physicalAddress);
    return { ...about, verdict: "inconclusive", reason, mismatches: [] };
  }
  return { ...about, ...judgePage(walk, { present, rights, scope }) };
}

/** What a verdict needs to know of a page that is mapped. */
export type JudgedPage = Pick<MappedWalk, "mode" | "leaf" | "effective" | "decidedBy">;

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
      level: scope === "leaf" ? leafLevel : walk.decidedBy[right],
    }));
}

/** Tells "the leaf says so" from "the leaf says otherwise, but a level above takes it away". */
function describeRight(walk: JudgedPage, right: Right, scope: "leaf" | "effective"): string {
  const { bit, setWhenGranted } = BIT_OF[right];
  const stateOf = (granted: boolean) => granted === setWhenGranted ? "set" : "cleared";
  const levels = PAGING_MODES[walk.mode].levels;
  const nameOf = (level: number) => levels.find((l) => l.level === level)?.entryName ?? "page";
  const leafName = nameOf(walk.decidedBy.present);
  const leaf = `${bit} is ${stateOf(walk.leaf[right])} in the ${leafName}`;
  if (walk.leaf[right] === walk.effective[right]) {
    return scope === "effective" && walk.effective[right]
      ? `${leaf} and on every level above`
      : leaf;
  }
  return `${leaf}, but the ${nameOf(walk.decidedBy[right])} above it has it ${stateOf(false)}`;
}
