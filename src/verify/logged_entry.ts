import { formatAddress } from "../core/address.ts";
import { diffEntries } from "../translate/entry_diff.ts";
import { spanAt } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import { type Expectation, USER_CLEARED } from "./expectation.ts";
import { judge, type Verdict } from "./verdict.ts";

/** An address whose entry a kernel log tells. */
export interface LoggedEntry {
  /** The linear address. */
  readonly address: bigint;
  /** The entry as it was left, if the log says so. */
  readonly newEntry?: bigint;
}

/**
 * Judges a walk against an expectation and against the entry that a kernel log says was left there.
 * Accessed and dirty bits may differ from the log's; any other difference fails.
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
  const found = walk.steps.at(-1);
  if (walk.outcome !== "mapped" || verdict.verdict === "inconclusive") return verdict;
  if (!found || logged.newEntry === undefined) return verdict;
  // The processor sets these whenever it likes, so a log's entry may differ in them.
  const hardwareBits = spanAt(walk.regime, walk.address)?.hardwareBits ?? 0n;
  if (((found.raw ^ logged.newEntry) & ~hardwareBits) === 0n) return verdict;
  const fields = diffEntries(logged.newEntry, found.raw, found.level, walk.regime)
    .filter(({ low }) => !(hardwareBits >> BigInt(low) & 1n))
    .map(({ linuxName, name }) => linuxName ?? name);
  const differs = `the entry is ${formatAddress(found.raw)}, but the log left ` +
    `${formatAddress(logged.newEntry)}: ${[...new Set(fields)].join(", ")} changed since`;
  const reason = verdict.verdict === "fail" ? `${verdict.reason}; ${differs}` : differs;
  return { ...verdict, verdict: "fail", reason };
}
