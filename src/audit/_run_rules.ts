import type { MemoryRange } from "../memory/physical_memory.ts";
import { describeRootOutsideRam } from "../translate/address_space.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import type { Mapping, MappingRecord } from "../translate/mappings.ts";
import { entryNameOf, levelOf, type Regime } from "../translate/regime.ts";
import { describeReservedBits } from "../translate/reserved_bits.ts";
import { evidenceOf, type Finding, finding } from "./finding.ts";
import { pagesOutsideRam } from "./outside_ram.ts";
import type { TableFrames } from "./table_frames.ts";

/** What the rules go by. */
export interface RunRulesOptions {
  /** Where the guest has RAM and ROM. */
  readonly ranges?: readonly MemoryRange[];
  /** Where the kernel's range starts. */
  readonly kernelStart?: bigint;
}

/** The rules that need to see no more than one run of like pages, or one broken entry. */
export class RunRules {
  readonly #context: Regime;
  readonly #tables: TableFrames;
  readonly #ranges: readonly MemoryRange[] | undefined;
  readonly #kernelStart: bigint;
  readonly #userBit: string;
  /** Whether entries that point to tables have a say in what user mode may do. */
  readonly #tablesDecideUser: boolean;

  /**
   * @param tables the frames that hold tables, if writing to them is judged run by run
   */
  constructor(context: Regime, tables: TableFrames, options: RunRulesOptions) {
    this.#context = context;
    this.#tables = tables;
    this.#ranges = options.ranges;
    this.#userBit = context.rules.rights.bits.user?.field ?? "the user bit";
    this.#tablesDecideUser = context.spans.some(({ levels }) =>
      levels.some(({ format }) => format.table?.some(({ flag }) => flag === "user"))
    );
    this.#kernelStart = options.kernelStart ?? context.rules.kernel.start;
  }

  *judge(record: MappingRecord): Generator<Finding> {
    switch (record.kind) {
      case "mapping":
        yield* this.#judgeRun(record);
        return;
      case "reservedBits": {
        const { entry } = record;
        const rule = this.#isBeyond(entry) ? "beyond-physical-addresses" : "reserved-bits";
        const is = describeReservedBits(entry, this.#context);
        const message = record.entries === 1
          ? `The ${entry.name} entry ${is}`
          : `${record.entries} ${entry.name} entries: each ${is}`;
        yield finding(rule, record, { evidence: { entry }, message });
        return;
      }
      case "unreadable": {
        const evidence = record.entry ? { entry: record.entry } : {};
        const isCorrupt = record.failure === "outsideRam" && record.entry !== undefined;
        if (record.failure === "outsideRam" && record.entry === undefined) {
          yield finding("not-audited", record, { message: describeRootOutsideRam(record.table) });
          return;
        }
        yield finding(isCorrupt ? "table-outside-ram" : "not-audited", record, { evidence });
        return;
      }
      case "truncated": {
        const message = `The audit ended here after ${record.tables} tables`;
        yield finding("not-audited", record, { message });
      }
    }
  }

  *#judgeRun(run: Mapping): Generator<Finding> {
    const { leaf, effective, decidedBy, physicalAddress } = run;
    const evidence = evidenceOf(run);
    const isKernelRange = run.address >= this.#kernelStart;
    if (effective.writable && effective.executable) {
      const severity = effective.user ? "medium" : "high";
      const whose = effective.user ? "User pages" : "Kernel pages";
      const message = `${whose} may be written and executed`;
      yield finding("writable-executable", run, { evidence, severity, message });
    }
    if (effective.user && isKernelRange) {
      const { userPage } = this.#context.rules.kernel;
      const isVsyscall = run.address === userPage?.address && run.pages === 1 &&
        !effective.writable;
      yield finding("user-accessible-kernel-range", run, {
        evidence,
        ...isVsyscall &&
          { severity: "low", message: `User mode may touch the ${userPage!.name} page` },
      });
    }
    if (effective.user && effective.writable) {
      const { address, lengthBytes } = run;
      for (const table of this.#tables.within(physicalAddress!, lengthBytes)) {
        const at = address + (table - physicalAddress!);
        const span = { address: at, lengthBytes: 4096 };
        yield finding("user-writable-table", span, {
          evidence: { ...evidence, physicalAddress: table },
        });
      }
    }
    yield* this.#outsideRam(run);
    if (leaf.user && !effective.user) {
      const decider = entryNameOf(this.#context, decidedBy.user);
      const message = `Entries set ${this.#userBit} below a ${decider} that clears it`;
      yield finding("user-leaf-below-supervisor", run, { evidence, message });
    }
    if (
      this.#tablesDecideUser && !leaf.user && !isKernelRange && decidedBy.user === decidedBy.present
    ) {
      const message =
        `Entries clear ${this.#userBit} in the user's range, below levels that all set it`;
      yield finding("supervisor-leaf-in-user-range", run, { evidence, message });
    }
  }

  /** Bits of an address are reserved only as they are above those that physical addresses have. */
  #isBeyond({ level, raw, reservedBits }: PageTableEntry): boolean {
    const fields = levelOf(this.#context, level)?.fieldsOf(raw) ?? [];
    return fields.some(({ addressBit, low, width }) =>
      addressBit !== undefined && (reservedBits >> BigInt(low)) & ((1n << BigInt(width)) - 1n)
    );
  }

  *#outsideRam(run: Mapping): Generator<Finding> {
    if (!this.#ranges || this.#context.rules.deviceCacheTypes.includes(run.cacheType)) return;
    const start = run.physicalAddress!;
    const span = { start, end: start + BigInt(run.lengthBytes) };
    for (const outside of pagesOutsideRam(this.#ranges, span, BigInt(run.pageSizeBytes))) {
      const address = run.address + (outside.start - start);
      yield finding("frame-outside-ram", {
        address,
        lengthBytes: Number(outside.end - outside.start),
      }, { evidence: { ...evidenceOf(run), physicalAddress: outside.start } });
    }
  }
}
