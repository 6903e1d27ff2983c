import { formatAddress } from "../core/address.ts";
import { diffEntries } from "../translate/entry_diff.ts";
import { spanAt } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import { type Expectation, USER_CLEARED } from "./expectation.ts";
import { judge, type Verdict } from "./verdict.ts";

/** An address whose entry a kernel log tells. */
export interface LoggedEntry {
  /** The linear address; null if the log's record cannot be read. */
  readonly address: bigint | null;
  /** The entry as it was left, if the log says so. */
  readonly newEntry?: bigint;
  /** What the log says was left there before, with another entry. */
  readonly earlier?: readonly { readonly newEntry?: bigint }[];
  /** Why the record says nothing: it cannot be read, or contradicts another. */
  readonly problem?: string;
}

/**
 * Judges a walk against an expectation and against the entry that a kernel log says was left there.
 * Accessed and dirty bits may differ from the log's; any other difference fails. Where the entry is not
 * the one that was left last but one that was left before, the log may be about two processes: a page
 * that meets the expectation then is inconclusive. So is everything by a record that has a problem.
 *
 * @throws {InvalidArgumentError} if the expectation contradicts itself or names nothing
 *
 * @example Usage
 * ```ts
 * import { connect, judgeLogged } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const walk = await guest.walk(0x7f1234567000n);
 * const newEntry = walk.steps.at(-1)!.raw ^ 2n; // the log says that it was left read-only
 * assertEquals(judgeLogged(walk, { address: walk.address, newEntry }).verdict, "fail");
 * ```
 */
export function judgeLogged(
  walk: Walk,
  logged: LoggedEntry,
  expectation: Expectation = USER_CLEARED,
): Verdict {
  const verdict = judge(walk, expectation);
  if (logged.problem !== undefined) {
    return { ...verdict, verdict: "inconclusive", reason: logged.problem };
  }
  const found = walk.steps.at(-1);
  if (walk.outcome !== "mapped" || verdict.verdict === "inconclusive") return verdict;
  // The processor sets these whenever it likes, so a log's entry may differ in them.
  const hardwareBits = spanAt(walk.regime, walk.address)?.hardwareBits ?? 0n;
  const isSame = (a: bigint, b: bigint) => ((a ^ b) & ~hardwareBits) === 0n;
  if (!found || logged.newEntry === undefined || isSame(found.raw, logged.newEntry)) return verdict;
  const differs = `the entry is ${formatAddress(found.raw)}, but the log left ` +
    formatAddress(logged.newEntry);
  const isEarlier = logged.earlier?.some(({ newEntry }) =>
    newEntry !== undefined && isSame(found.raw, newEntry)
  );
  if (isEarlier && verdict.verdict === "pass") {
    return {
      ...verdict,
      verdict: "inconclusive",
      reason: `${differs} there last, and this one before: it may have been another process's page`,
    };
  }
  const fields = diffEntries(logged.newEntry, found.raw, found.level, walk.regime)
    .filter(({ low }) => !(hardwareBits >> BigInt(low) & 1n))
    .map(({ linuxName, name }) => linuxName ?? name);
  const changed = `${differs}: ${[...new Set(fields)].join(", ")} changed since`;
  const reason = verdict.verdict === "fail" ? `${verdict.reason}; ${changed}` : changed;
  return { ...verdict, verdict: "fail", reason };
}
