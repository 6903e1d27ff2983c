import { type Regime, withRoot } from "../translate/regime.ts";
import {
  ADDRESS,
  checkOptions,
  given,
  LIST,
  OBJECT,
  type OptionShape,
  wholeNumberFrom,
} from "../core/options.ts";
import type { MemoryRange, PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { LIST_SHAPE, type ListOptions, listTables } from "../translate/listing.ts";
import { type Mapping, mappings } from "../translate/mappings.ts";
import type { PageTableSource } from "../snapshot/snapshot.ts";
import { FindingLimit } from "./_finding_limit.ts";
import { evidenceOf, type Finding, finding, FindingJoiner } from "./finding.ts";
import { FrameIndex } from "./frames.ts";
import { isSharedWithUser } from "./kernel_ranges.ts";
import { RunRules } from "./_run_rules.ts";
import { TableFrames } from "./table_frames.ts";

/** Options of {@linkcode audit}. */
export interface AuditOptions extends Pick<ListOptions, "signal" | "onProgress" | "maxTables"> {
  /** Audit only these addresses. */
  range?: AddressRange;
  /** Where the guest has RAM and ROM; without it, frames outside RAM are not looked for. */
  ranges?: readonly MemoryRange[];
  /** What the guest's table of cache types holds (x86: the PAT). @default what Linux puts there */
  pat?: readonly string[];
  /**
   * Where the kernel's range starts.
   *
   * @default the upper half or, in the 32-bit modes, 3 GiB as on Linux
   */
  kernelStart?: bigint;
  /**
   * Compare the mappings of so many runs of frames at most.
   *
   * @default {1_000_000}
   */
  maxFrameRuns?: number;
  /**
   * List so many findings of each rule at most, and say at the end how many there are.
   *
   * @default {2000}
   */
  maxFindings?: number;
}

/** The checks of {@linkcode AuditOptions}. */
export const AUDIT_SHAPE: OptionShape<AuditOptions> = {
  signal: LIST_SHAPE.signal,
  onProgress: LIST_SHAPE.onProgress,
  maxTables: LIST_SHAPE.maxTables,
  range: OBJECT,
  ranges: LIST,
  pat: LIST,
  kernelStart: ADDRESS,
  maxFrameRuns: wholeNumberFrom(0),
  maxFindings: wholeNumberFrom(1),
};

/** A few dozen pages for each CPU; Linux runs on 8192 at most. */
const MAX_ENTRY_AREA_RUNS = 500_000;

/**
 * Looks for what is wrong in an address space: pages that are writable and executable, kernel pages
 * open to user mode, tables that user mode can write, corrupt entries, frames mapped in ways that do
 * not go together, and more; {@linkcode AUDIT_RULES} has them all. Findings about addresses come in
 * their order, then those about frames. The tables are listed twice.
 *
 * @throws {InvalidArgumentError} if the range cannot be used
 * @throws {NoTablesError} if the context says that there are no tables
 *
 * @example Usage
 * ```ts
 * import { audit, pagingContext } from "@pagewalk/pagewalk";
 * import { PageTableBuilder, ramRange, registersFor, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
 * const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
 * tables.map(0xffff888000000000n, 0x9000n, "4K", { writable: true }); // No XD.
 * const context = pagingContext(registersFor(tables));
 * const [found] = await Array.fromAsync(audit({ memory, context }));
 * assertEquals([found?.rule, found?.severity], ["writable-executable", "high"]);
 * ```
 */
export async function* audit(
  source: PageTableSource,
  options: AuditOptions = {},
): AsyncGenerator<Finding> {
  checkOptions(options, "the options of an audit", AUDIT_SHAPE);
  const limit = new FindingLimit(options.maxFindings ?? 2000);
  for await (const found of allFindings(source, options)) if (limit.takes(found)) yield found;
  yield* limit.leftOut();
}

async function* allFindings(
  source: PageTableSource,
  options: AuditOptions,
): AsyncGenerator<Finding> {
  const { memory, context } = source;
  const { range = {}, pat, maxFrameRuns = 1_000_000 } = options;
  const list = pickListOptions(options);
  const tables = await tablesOf(memory, context, options);
  const frames = new FrameIndex(maxFrameRuns);
  const rules = new RunRules(context, tables, options);
  const joiner = new FindingJoiner();
  const runs = mappings(memory, context, range, {
    ...list,
    contiguous: true,
    ...pat && { pat },
  });
  for await (const record of runs) {
    for (const found of rules.judge(record)) yield* joiner.add(found);
    if (record.kind === "mapping") frames.add(record);
  }
  yield* joiner.end();
  yield* frames.findings();
  if (!frames.isWhole) {
    const message = `Only the first ${maxFrameRuns} runs of frames were compared with each other`;
    yield finding("not-audited", { address: 0n, lengthBytes: 0 }, { message });
  }
  const { userView } = context;
  if (userView !== undefined) yield* auditUserView(memory, withRoot(context, userView), options);
}

/** What the user's root maps of the kernel's range, or of some parts of it. */
export async function* auditUserView(
  memory: PhysicalMemory,
  context: Regime,
  options: AuditOptions,
  parts?: readonly AddressRange[],
): AsyncGenerator<Finding> {
  const { start, entryArea } = context.rules.kernel;
  if (!entryArea) return;
  const entryRange = {
    start: entryArea.start,
    lengthBytes: Number(entryArea.end - entryArea.start),
  };
  const shared = new FrameIndex(MAX_ENTRY_AREA_RUNS);
  for await (const run of runsOf(memory, context, entryRange, options)) shared.add(run);

  const joiner = new FindingJoiner();
  for (const part of parts ?? [{ start }]) {
    for await (const run of runsOf(memory, context, part, options)) {
      // Linux also leaves each CPU's TSS, which is in the entry area, where it is in the map of all
      // memory: the entry code spills a register there (pti_clone_user_shared).
      if (isSharedWithUser(run, context.rules.kernel) || shared.holds(run)) continue;
      yield* joiner.add(finding("kpti-exposes-kernel", run, { evidence: evidenceOf(run) }));
    }
  }
  yield* joiner.end();
}

/** Runs of pages whose frames are one after the other. */
async function* runsOf(
  memory: PhysicalMemory,
  context: Regime,
  range: AddressRange,
  options: AuditOptions,
): AsyncGenerator<Mapping> {
  const records = mappings(memory, context, range, {
    ...pickListOptions(options),
    contiguous: true,
  });
  for await (const record of records) if (record.kind === "mapping") yield record;
}

/** The frames that hold tables: of the whole address space, whatever range is audited. */
async function tablesOf(
  memory: PhysicalMemory,
  context: Regime,
  options: AuditOptions,
): Promise<TableFrames> {
  const { signal, maxTables } = options;
  const { userView } = context;
  const list = {
    tables: true,
    ...signal && { signal },
    ...given({ maxTables }),
  };
  const frames = new Set<bigint>();
  for (const root of [context.root, ...userView === undefined ? [] : [userView]]) {
    frames.add(root);
    for await (const batch of listTables(memory, withRoot(context, root), {}, list)) {
      for (const record of batch) if (record.kind === "table") frames.add(record.entry.frame);
    }
  }
  return new TableFrames(frames);
}

/** What of the options a listing takes. */
export function pickListOptions(
  options: Pick<ListOptions, "signal" | "onProgress" | "maxTables">,
): Pick<ListOptions, "signal" | "onProgress" | "maxTables"> {
  const { signal, onProgress, maxTables } = options;
  return {
    ...signal && { signal },
    ...onProgress && { onProgress },
    ...given({ maxTables }),
  };
}
