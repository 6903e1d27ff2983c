import { checkOptions, FUNCTION, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import { CachingMemory } from "../memory/caching_memory.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { listTables } from "../translate/listing.ts";
import { mappings } from "../translate/mappings.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import { FindingLimit } from "./_finding_limit.ts";
import { RunRules } from "./_run_rules.ts";
import { AUDIT_SHAPE, type AuditOptions, auditUserView, pickListOptions } from "./audit.ts";
import { type Finding, finding, FindingJoiner, type ProcessName } from "./finding.ts";
import { FrameIndex } from "./frames.ts";
import { TableFrames } from "./table_frames.ts";

/** A process's tables, as far as the kernel's own do not have them. */
export interface AuditedSpace {
  /** Whose they are. */
  readonly process: ProcessName;
  /** The process's address space. */
  readonly regime: Regime;
  /** The addresses that are its own. */
  readonly parts: readonly AddressRange[];
  /** What user code sees of the kernel's range and others do not. */
  readonly userViewParts: readonly AddressRange[];
  /** Whether the tables still are that process's: asked after they were read. */
  stillRuns(): Promise<boolean>;
}

/**
 * What came of one process: audited; audited but for tables that could not be read or were too many;
 * ended or changed its memory meanwhile; not audited, as there were too many tables before.
 */
export type AuditOutcome = "audited" | "partial" | "ended" | "left out";

/** What {@linkcode auditMany} yields: findings, and what came of each process. */
export type AuditManyRecord =
  | { readonly kind: "finding"; readonly finding: Finding }
  | {
    readonly kind: "process";
    readonly process: ProcessName;
    readonly outcome: AuditOutcome;
  };

/** Options of {@linkcode auditMany}. */
export interface AuditManyOptions extends Omit<AuditOptions, "range" | "onProgress"> {
  /**
   * Visit so many tables of all processes together at most. `maxTables` is for each.
   *
   * @default {1_048_576}
   */
  maxAllTables?: number;
  /** Called after each process. */
  onProcess?: (progress: { readonly processes: number; readonly tables: number }) => void;
}

const { range: _, onProgress: _p, ...CHECKS } = AUDIT_SHAPE;

/** The checks of {@linkcode AuditManyOptions}. */
export const AUDIT_MANY_SHAPE: OptionShape<AuditManyOptions> = {
  ...CHECKS,
  maxAllTables: wholeNumberFrom(1),
  onProcess: FUNCTION,
};

/** The tables of one process, kept while its rules are applied: 32 MiB of them. */
const KEPT_BYTES = 32 << 20;

/**
 * Audits the kernel's tables once, and of each process those that are its own; then what all of them map
 * together. Findings about a process's addresses come after it was read and still runs.
 */
export async function* auditMany(
  memory: PhysicalMemory,
  kernel: Regime,
  spaces: AsyncIterable<AuditedSpace>,
  options: AuditManyOptions = {},
): AsyncGenerator<AuditManyRecord> {
  checkOptions(options, "the options of an audit", AUDIT_MANY_SHAPE);
  const limit = new FindingLimit(options.maxFindings ?? 2000);
  function* taken(findings: Iterable<Finding>): Generator<AuditManyRecord> {
    for (const found of findings) if (limit.takes(found)) yield { kind: "finding", finding: found };
  }
  const pass = new Pass(memory, options);
  const { findings } = await pass.read(kernel, [{}], null);
  pass.keep();
  yield* taken(findings);
  let processes = 0;
  for await (const { process, regime, parts, userViewParts, stillRuns } of spaces) {
    options.signal?.throwIfAborted();
    const outcome = (outcome: AuditOutcome) => ({ kind: "process", process, outcome }) as const;
    if (pass.isSpent) {
      yield outcome("left out");
      continue;
    }
    pass.begin(process);
    const { findings, isWhole } = await pass.read(regime, parts, userViewParts);
    options.onProcess?.({ processes: ++processes, tables: pass.tables });
    if (await stillRuns()) {
      pass.keep();
      yield* taken(findings.map((found) => ({ ...found, process })));
      yield outcome(isWhole ? "audited" : "partial");
    } else {
      pass.drop();
      yield outcome("ended");
    }
  }
  yield* taken(pass.together());
  yield* taken(limit.leftOut());
}

/** What is known of all tables read so far. */
class Pass {
  readonly #memory: PhysicalMemory;
  readonly #options: AuditManyOptions;
  readonly #frames: FrameIndex;
  /** The numbers of the frames that hold tables, and those of the process at hand. */
  readonly #tables = new Set<number>();
  #own = new Set<number>();
  #count = 0;

  constructor(memory: PhysicalMemory, options: AuditManyOptions) {
    this.#memory = memory;
    this.#options = options;
    this.#frames = new FrameIndex(options.maxFrameRuns ?? 1_000_000);
  }

  /** How many tables were visited. */
  get tables(): number {
    return this.#count;
  }

  /** Whether no more tables may be visited. */
  get isSpent(): boolean {
    return this.#count >= (this.#options.maxAllTables ?? 1 << 20);
  }

  begin(process: ProcessName): void {
    this.#frames.beginOwner(process);
  }

  keep(): void {
    for (const frame of this.#own) this.#tables.add(frame);
    this.#own = new Set();
  }

  drop(): void {
    this.#frames.dropOwner();
    this.#own = new Set();
  }

  /** Applies the rules to some parts of an address space, and to what user code sees; null for all of that. */
  async read(
    regime: Regime,
    parts: readonly AddressRange[],
    userViewParts: readonly AddressRange[] | null,
  ): Promise<{ findings: Finding[]; isWhole: boolean }> {
    const memory = new CachingMemory(this.#memory, {
      granuleBytes: 4096,
      capacityBytes: KEPT_BYTES,
    });
    const { pat } = this.#options;
    const options = pickListOptions(this.#options);
    // Who may write to a table is found in the end, when all tables are known.
    const rules = new RunRules(regime, new TableFrames([]), this.#options);
    const joiner = new FindingJoiner();
    const limit = new FindingLimit(this.#options.maxFindings ?? 2000);
    const findings: Finding[] = [];
    const take = (found: Finding) => limit.takes(found) && findings.push(found);
    await this.#takeTables(memory, regime, parts);
    for (const part of parts) {
      const records = mappings(memory, regime, part, {
        ...{ ...options, contiguous: true },
        ...pat && { pat },
      });
      for await (const record of records) {
        for (const found of rules.judge(record)) for (const each of joiner.add(found)) take(each);
        if (record.kind === "mapping") this.#frames.add(record);
      }
    }
    for (const each of joiner.end()) take(each);
    const { userView } = regime;
    if (userView !== undefined && userViewParts?.length !== 0) {
      const seen = withRoot(regime, userView);
      const found = auditUserView(memory, seen, options, userViewParts ?? undefined);
      for await (const each of found) take(each);
    }
    findings.push(...limit.leftOut());
    return { findings, isWhole: findings.every(({ rule }) => rule !== "not-audited") };
  }

  async #takeTables(memory: PhysicalMemory, regime: Regime, parts: readonly AddressRange[]) {
    const { signal, maxTables } = this.#options;
    const list = {
      tables: true,
      ...signal && { signal },
      ...maxTables !== undefined && { maxTables },
    };
    const { root, userView } = regime;
    for (const table of [root, ...userView === undefined ? [] : [userView]]) this.#take(table);
    for (const part of parts) {
      for await (const batch of listTables(memory, withRoot(regime, root), part, list)) {
        for (const record of batch) if (record.kind === "table") this.#take(record.entry.frame);
      }
    }
  }

  #take(table: bigint): void {
    this.#count++;
    this.#own.add(Number(table >> 12n));
  }

  /** What is wrong with frames that several address spaces map. */
  *together(): Generator<Finding> {
    const tables = new TableFrames([...this.#tables].map((frame) => BigInt(frame) << 12n));
    for (const { frames: { start, lengthBytes }, mapping } of this.#frames.userWritable()) {
      const { process, address, effective, cacheType } = mapping;
      for (const table of tables.within(start, lengthBytes)) {
        const span = { address: address + (table - start), lengthBytes: 4096 };
        const evidence = { physicalAddress: table, effective, cacheType };
        yield {
          ...finding("user-writable-table", span, { evidence }),
          ...process && { process },
        };
      }
    }
    yield* this.#frames.findings();
    if (!this.#frames.isWhole) {
      const message =
        `Only the first ${this.#frames.length} runs of frames were compared with each other`;
      yield finding("not-audited", { address: 0n, lengthBytes: 0 }, { message });
    }
  }
}
