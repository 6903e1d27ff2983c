import { auditMany, type AuditManyOptions, type AuditOutcome } from "../audit/audit_many.ts";
import type { Finding, ProcessName } from "../audit/finding.ts";
import { MonitorMemory } from "../memory/monitor_memory.ts";
import { AllProcesses, type AllProcessesSource, type ProcessSpace } from "./all_processes.ts";

/** How far an audit of all processes has come. */
export interface AllProgress {
  /** The address spaces that were read. */
  readonly processes: number;
  /** How many there are. */
  readonly of: number;
  /** The tables visited. */
  readonly tables: number;
}

/** What an audit of all processes covers, and what is said of each. */
export type AuditAllRecord =
  /** First: how many address spaces there are, and how many processes without one (the kernel's threads). */
  | { readonly kind: "begin"; readonly spaces: number; readonly withoutMemory: number }
  | { readonly kind: "finding"; readonly finding: Finding }
  /** A process is done; those that share its memory need no audit of their own. */
  | {
    readonly kind: "process";
    readonly process: ProcessName;
    readonly outcome: AuditOutcome;
    readonly sharedBy: readonly ProcessName[];
  };

/** Options of an audit of all processes. */
export interface AuditAllOptions extends Omit<AuditManyOptions, "onProcess"> {
  /** Called after each process. */
  onProgress?: (progress: AllProgress) => void;
}

/** Audits the kernel's tables once, and those that each process has besides. */
export async function* auditAllProcesses(
  source: AllProcessesSource,
  options: AuditAllOptions,
): AsyncGenerator<AuditAllRecord> {
  const { onProgress, ...audited } = options;
  const { signal, ranges } = options;
  const all = await AllProcesses.of(source, signal ? { signal } : {});
  yield { kind: "begin", spaces: all.count, withoutMemory: all.withoutMemory };
  const { memory } = source;
  const known = ranges ?? (memory instanceof MonitorMemory ? await memory.ranges() : null);
  let current: ProcessSpace | null = null;
  async function* noting() {
    for await (const space of all.spaces()) yield current = space;
  }
  const records = auditMany(memory, all.kernel, noting(), {
    ...audited,
    ...known && { ranges: known },
    ...onProgress && { onProcess: (done) => onProgress({ ...done, of: all.count }) },
  });
  for await (const record of records) {
    yield record.kind === "finding" ? record : { ...record, sharedBy: current!.sharedBy };
  }
}
