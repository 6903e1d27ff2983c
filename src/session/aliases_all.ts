import type { AuditOutcome } from "../audit/audit_many.ts";
import type { ProcessName } from "../audit/finding.ts";
import { type AddressLike, parseAddress } from "../core/address.ts";
import { checkOptions, FUNCTION, wholeNumberFrom } from "../core/options.ts";
import {
  aliases,
  ALIASES_SHAPE,
  type AliasesOptions,
  type AliasRecord,
} from "../translate/aliases.ts";
import { AllProcesses, type AllProcessesSource } from "./all_processes.ts";
import type { AllProgress } from "./audit_all.ts";

/** What a search in all processes yields. */
export type AliasAllRecord =
  /** First: how many address spaces there are, and how many processes without one (the kernel's threads). */
  | { readonly kind: "begin"; readonly spaces: number; readonly withoutMemory: number }
  /** What maps the frame; null for the kernel's own tables. */
  | {
    readonly kind: "alias";
    readonly process: ProcessName | null;
    readonly alias: AliasRecord;
  }
  /** A process is done; those that share its memory have the same aliases. */
  | {
    readonly kind: "process";
    readonly process: ProcessName;
    readonly outcome: Exclude<AuditOutcome, "audited"> | "searched";
    readonly sharedBy: readonly ProcessName[];
  };

/** Options of a search in all processes; `maxAliases` and `maxTables` are for each. */
export interface AliasesAllOptions extends Omit<AliasesOptions, "range" | "onProgress"> {
  /**
   * Visit so many tables of all processes together at most.
   *
   * @default {1_048_576}
   */
  maxAllTables?: number;
  /** Called after each process. */
  onProgress?: (progress: AllProgress) => void;
}

const { range: _, ...CHECKS } = ALIASES_SHAPE;
const SHAPE = { ...CHECKS, maxAllTables: wholeNumberFrom(1), onProgress: FUNCTION };

/** So many of the tables that could not be read are named. */
const MAX_UNREAD = 100;

/** Searches the kernel's tables once, and those that each process has besides. */
export async function* aliasesOfAll(
  source: AllProcessesSource,
  physicalAddress: AddressLike,
  options: AliasesAllOptions,
): AsyncGenerator<AliasAllRecord> {
  checkOptions(options, "the options of a search", SHAPE);
  const target = parseAddress(physicalAddress);
  const { maxAllTables = 1 << 20, onProgress, ...own } = options;
  const { signal } = options;
  const all = await AllProcesses.of(source, signal ? { signal } : {});
  yield { kind: "begin", spaces: all.count, withoutMemory: all.withoutMemory };
  let tables = 0;
  let here = 0;
  const search = { ...own, onProgress: (progress: { tables: number }) => here = progress.tables };
  for await (const alias of aliases(source.memory, all.kernel, target, search)) {
    yield { kind: "alias", process: null, alias };
  }
  let processes = 0;
  for await (const { process, sharedBy, regime, parts, stillRuns } of all.spaces()) {
    signal?.throwIfAborted();
    tables += here;
    const outcome = (outcome: "searched" | "partial" | "ended" | "left out") =>
      ({ kind: "process", process, outcome, sharedBy }) as const;
    if (tables >= maxAllTables) {
      yield outcome("left out");
      continue;
    }
    const found: AliasRecord[] = [];
    let isWhole = true;
    here = 0;
    for (const range of parts) {
      const before = here;
      for await (const alias of aliases(source.memory, regime, target, { ...search, range })) {
        isWhole &&= alias.kind === "alias";
        // Tables made to that end have millions of entries that lead to no table.
        if (alias.kind === "alias" || found.length < MAX_UNREAD) found.push(alias);
      }
      here += before;
    }
    onProgress?.({ processes: ++processes, of: all.count, tables: tables + here });
    if (!await stillRuns()) {
      yield outcome("ended");
      continue;
    }
    for (const alias of found) yield { kind: "alias", process, alias };
    yield outcome(isWhole ? "searched" : "partial");
  }
}
