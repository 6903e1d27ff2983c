import type { CpuSource } from "../arch/cpu_source.ts";
import { architectureOf } from "../arch/architectures.ts";
import { describeNoTables, type NoTables } from "../translate/no_tables.ts";
import type { Regime } from "../translate/regime.ts";
import type { PagingContextOptions } from "../arch/default_types.ts";
import type { GuestRegisters } from "../arch/registers.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";

/** A vCPU's number and its tables; `context.noTables` says if they must not be read. */
export interface VcpuTable {
  readonly cpu: number;
  readonly context: Regime;
}

/** A vCPU is in a nested guest for milliseconds at a time: its host runs at each of its timer's ticks. */
const LOOK_AGAIN_MS = 3000;
const PAUSE_MS = 1;
/** It is in firmware or in system-management mode for microseconds, unless it never leaves. */
const BRIEF_LOOKS = 20;
const BRIEF: ReadonlySet<NoTables["kind"]> = new Set(["smm", "firmware"]);

/** The tables of a guest's vCPUs, each with whether it translates by them. */
export class VcpuTables {
  readonly #cpus: CpuSource;
  readonly #memory: PhysicalMemory;
  readonly #paging: Omit<PagingContextOptions, "root">;

  constructor(
    cpus: CpuSource,
    memory: PhysicalMemory,
    paging: Omit<PagingContextOptions, "root">,
  ) {
    this.#cpus = cpus;
    this.#memory = memory;
    this.#paging = paging;
  }

  /** One vCPU's: the one named, else the current one. If it has none, the others are looked at, too. */
  async of(cpu?: number): Promise<VcpuTable> {
    const registers = await this.#cpus.registers(cpu);
    const formats = architectureOf(registers).registers;
    const peers = formats.needsPeers(registers) ? await this.#cpus.allRegisters() : [];
    const table = await this.#tableOf(registers, peers);
    const { noTables } = table.context;
    if (noTables === undefined) return table;
    const next = nextStep(noTables, await this.all());
    return { ...table, context: { ...table.context, noTables: { ...noTables, next } } };
  }

  /** Every vCPU's, by number. */
  async all(): Promise<VcpuTable[]> {
    const all = await this.#cpus.allRegisters();
    return await Promise.all(all.map((registers) => this.#tableOf(registers, all)));
  }

  /**
   * Those of all vCPUs that translate by the guest's tables. If none does, it looks again: for some seconds
   * where one is in a nested guest, a few times where one is in firmware. There may be none in the end.
   */
  async translating(signal?: AbortSignal): Promise<{ tables: VcpuTable[]; all: VcpuTable[] }> {
    const started = performance.now();
    for (let look = 1;; look++) {
      const all = await this.all();
      const tables = all.filter(({ context }) => context.noTables === undefined);
      const kinds = all.map(({ context }) => context.noTables?.kind);
      const mayReturn = kinds.includes("nested")
        ? performance.now() - started <= LOOK_AGAIN_MS
        : look < BRIEF_LOOKS && kinds.some((kind) => kind !== undefined && BRIEF.has(kind));
      if (tables.length > 0 || !mayReturn) return { tables, all };
      signal?.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #tableOf(registers: GuestRegisters, peers: readonly GuestRegisters[]): Promise<VcpuTable> {
    const context = await architectureOf(registers).registers.contextOf(
      this.#memory,
      registers,
      peers,
      this.#paging,
    );
    return { cpu: registers.cpu, context };
  }
}

/** What to do if one vCPU has no tables to read. */
function nextStep({ kind }: NoTables, all: readonly VcpuTable[]): string {
  const others = all.filter(({ context }) => context.noTables === undefined);
  const again = kind === "nested" || kind === "smm" || kind === "firmware" ? "try again, or " : "";
  if (others.length > 0) {
    const list = others.slice(0, 8).map(({ cpu }) => cpu).join(", ");
    return `${again}choose a vCPU that runs on the guest's tables: ${list}`;
  }
  return again === ""
    ? "no vCPU runs on page tables yet: try again when the guest's kernel has started, or name a root " +
      "and its mode"
    : `${again}name a root and its mode`;
}

/** Why no vCPU's tables can be read, for an error. */
export function whyNone(all: readonly VcpuTable[]): string {
  const reasons = all.slice(0, 4).map(({ context }) => describeNoTables(context.noTables!));
  const more = all.length > 4 ? `; and ${all.length - 4} more vCPUs` : "";
  return reasons.join("; ") + more;
}
