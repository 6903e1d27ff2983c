import type { Regime } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import type { PageTable } from "./table_choice.ts";
import type { VcpuTable } from "./vcpu_tables.ts";

/** What sampling needs of a session. */
export interface SampleSource {
  /** The tables of every vCPU now, by number. */
  tables(): Promise<VcpuTable[]>;
  /** Walks one of them for the address. */
  walk(context: Regime): Promise<Walk>;
}

/** The pause between two polls: short against a time slice (4 ms at HZ=250), long against a poll. */
const POLL_PAUSE_MS = 1;

/**
 * Polls every vCPU until one runs on tables that map the address, for a target that sleeps most of
 * the time. Each poll asks all vCPUs at once and walks each distinct root; vCPUs that do not translate
 * by the guest's tables are passed over.
 */
export async function sampleTables(
  source: SampleSource,
  forMs: number,
  signal?: AbortSignal,
): Promise<PageTable> {
  const started = performance.now();
  const roots = new Set<bigint>();
  let last: VcpuTable | undefined;
  for (let polls = 1;; polls++) {
    const tables = await source.tables();
    const walked = new Set<bigint>();
    for (const { cpu, context } of tables) {
      if (context.noTables !== undefined) continue;
      last = { cpu, context };
      if (walked.has(context.root)) continue;
      walked.add(context.root);
      roots.add(context.root);
      const { outcome } = await source.walk(context);
      if (outcome === "mapped") {
        return { context, source: { kind: "sample", cpu, afterMs: performance.now() - started } };
      }
    }
    signal?.throwIfAborted();
    if (performance.now() - started >= forMs) {
      const { cpu, context } = last ?? tables[0]!;
      return { context, source: { kind: "sampleMissed", cpu, roots: roots.size, polls } };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_PAUSE_MS));
  }
}
