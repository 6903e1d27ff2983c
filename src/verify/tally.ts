import type { Verdict, VerdictKind } from "./verdict.ts";

/** Several verdicts in one. */
export interface Tally {
  /** `fail` if one fails; else `inconclusive` if one could not be judged; else `pass`. */
  readonly verdict: VerdictKind;
  /** How many were judged. */
  readonly total: number;
  /** How many are as expected. */
  readonly passed: number;
  /** How many are not. */
  readonly failed: number;
  /** How many could not be judged. */
  readonly inconclusive: number;
  /** The address of the first that is not as expected, or null. */
  readonly firstFailure: bigint | null;
}

/**
 * Counts verdicts. None at all is inconclusive: nothing was judged.
 *
 * @example Usage
 * ```ts
 * import { connect, tally } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const verdicts = [await guest.verify(0x7f1234567000n), await guest.verify(0x7f1234577000n)];
 * const { passed, total, firstFailure } = tally(verdicts);
 * assertEquals([passed, total, firstFailure], [1, 2, 0x7f1234577000n]);
 * ```
 */
export function tally(verdicts: readonly Verdict[]): Tally {
  const count = (kind: VerdictKind) => verdicts.filter(({ verdict }) => verdict === kind).length;
  const [passed, failed, inconclusive] = [count("pass"), count("fail"), count("inconclusive")];
  return {
    verdict: failed > 0
      ? "fail"
      : passed < verdicts.length || passed === 0
      ? "inconclusive"
      : "pass",
    total: verdicts.length,
    passed,
    failed,
    inconclusive,
    firstFailure: verdicts.find(({ verdict }) => verdict === "fail")?.walk.address ?? null,
  };
}
