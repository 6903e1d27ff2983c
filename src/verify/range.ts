import { checkOptions, FUNCTION, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { LIST_SHAPE, type ListOptions, listTables } from "../translate/listing.ts";
import { type Regime, whyNoTables } from "../translate/regime.ts";
import { RangeJudge } from "./_range_judge.ts";
import { RangeTally } from "./_range_tally.ts";
import { type Expectation, USER_CLEARED } from "./expectation.ts";
import type { JudgedPart, RangeVerdict } from "./range_verdict.ts";

/** Options of {@linkcode verifyRange} and {@linkcode judgeRange}. */
export interface VerifyRangeOptions
  extends Pick<ListOptions, "signal" | "onProgress" | "maxTables"> {
  /**
   * Keep at most so many failures, and as many gaps. All are counted.
   *
   * @default {100}
   */
  keep?: number;
  /** Asked for MAXPHYADDR once, where it matters and the context does not tell it; null if unknown. */
  learnPhysicalBits?: () => Promise<number | null>;
  /** Called with every part as it is judged, in address order: for reports that name every page. */
  onParts?: (parts: readonly JudgedPart[]) => void;
}

/** The checks of {@linkcode VerifyRangeOptions}. */
export const VERIFY_RANGE_SHAPE: OptionShape<VerifyRangeOptions> = {
  signal: LIST_SHAPE.signal,
  onProgress: LIST_SHAPE.onProgress,
  maxTables: LIST_SHAPE.maxTables,
  keep: wholeNumberFrom(0),
  learnPhysicalBits: FUNCTION,
  onParts: FUNCTION,
};

/**
 * Judges every page of a range, whatever its size, and reads each table that it used again: pages whose
 * entries changed meanwhile are inconclusive. The memory used does not grow with the range.
 *
 * @throws {InvalidArgumentError} if the range or the expectation cannot be used
 *
 * @example Usage
 * ```ts
 * import { pagingContext, verifyRange } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const range = { start: 0x7f1234567000n, lengthBytes: 4096 };
 * const verdict = await verifyRange(guest.memory, context, range, { user: false });
 * assertEquals([verdict.verdict, verdict.pages, verdict.passed], ["pass", 1, 1]);
 * ```
 */
export async function verifyRange(
  memory: PhysicalMemory,
  regime: Regime,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: VerifyRangeOptions = {},
): Promise<RangeVerdict> {
  checkOptions(options, "the options of a check", VERIFY_RANGE_SHAPE);
  const tally = new RangeTally(regime, range, expectation, options.keep ?? 100);
  const parts = judgeRange(memory, regime, range, expectation, {
    ...options,
    onProgress(progress) {
      tally.tables = progress.tables;
      options.onProgress?.(progress);
    },
  });
  for await (const batch of parts) {
    for (const part of batch) tally.add(part);
    options.onParts?.(batch);
  }
  return tally.verdict();
}

/**
 * Judges a range part by part, in address order and in batches.
 *
 * @throws {InvalidArgumentError} if the range or the expectation cannot be used
 *
 * @example Usage
 * ```ts
 * import { judgeRange, pagingContext } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const range = { start: 0x7f1234567000n, lengthBytes: 8192 };
 * for await (const parts of judgeRange(guest.memory, context, range)) {
 *   assertEquals(parts.map((part) => part.verdict), ["pass", "pass"]);
 * }
 * ```
 */
export async function* judgeRange(
  memory: PhysicalMemory,
  regime: Regime,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: VerifyRangeOptions = {},
): AsyncGenerator<JudgedPart[]> {
  checkOptions(options, "the options of a check", VERIFY_RANGE_SHAPE);
  const judge = new RangeJudge(regime, range, expectation);
  const { keep: _keep, onParts: _onParts, learnPhysicalBits, ...listOptions } = options;
  const { start, end } = judge;
  const why = whyNoTables(regime);
  if (why !== undefined) {
    const parts: JudgedPart[] = [];
    judge.noTables(why, parts);
    yield parts;
    return;
  }
  let isAsked = learnPhysicalBits === undefined;
  const whole = { start, lengthBytes: Number(end - start) };
  const listing = listTables(memory, regime, whole, {
    ...listOptions,
    notPresent: true,
    expandShared: true,
    recheck: true,
  });
  for await (const batch of listing) {
    const parts: JudgedPart[] = [];
    if (!isAsked && judge.needsPhysicalBits(batch)) {
      isAsked = true;
      const bits = await learnPhysicalBits!();
      if (bits !== null) judge.learnPhysicalBits(bits);
    }
    for (const record of batch) judge.take(record, parts);
    if (parts.length > 0) yield parts;
  }
  const parts: JudgedPart[] = [];
  judge.finish(parts);
  if (parts.length > 0) yield parts;
}
