import type { AddressLike } from "../core/address.ts";
import { architectureNamed, architectureWithMode } from "../arch/architectures.ts";
import { NoTablesError } from "../translate/no_tables.ts";
import type { CpuSource } from "../arch/cpu_source.ts";
import type { PagingContextOptions } from "../arch/default_types.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import type { WantedProcess } from "../linux/processes.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { checkTableChoice, type PageTable, processOf, type TableChoice } from "./table_choice.ts";
import { VcpuTables, whyNone } from "./vcpu_tables.ts";

/** What knows a guest's processes: its Linux, or the ELF file of its kernel. */
export interface ProcessSource {
  /** Finds a process's page table. */
  tableOf(
    wanted: WantedProcess,
    options: ReadOptions,
  ): Promise<{ readonly pid: number; readonly comm: string; readonly context: Regime }>;
}

/** What the page tables of a guest are found with. */
export interface TableFinderInit {
  /** Where registers are asked for. */
  readonly cpus: CpuSource;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** What the registers do not tell of the guest's paging. */
  readonly paging: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: string;
  /** What knows the guest's processes. */
  processes(): Promise<ProcessSource>;
  /** Finds the tables that translate a device's DMA. */
  device(device: string, options: ReadOptions): Promise<PageTable>;
}

/** Turns a choice of page table into the table: a vCPU's, a named root's, a process's. */
export class TableFinder {
  /** The tables of the guest's vCPUs. */
  readonly vcpus: VcpuTables;
  readonly #parts: TableFinderInit;

  constructor(parts: TableFinderInit) {
    this.#parts = parts;
    this.vcpus = new VcpuTables(parts.cpus, parts.memory, parts.paging);
  }

  /** Finds the page table that a choice means; see `Session.pageTable`. */
  async find(
    choice: TableChoice,
    address?: AddressLike,
    options: ReadOptions = {},
  ): Promise<PageTable> {
    checkTableChoice(choice, address);
    const { root, sampleMs, device, table } = choice;
    if (table !== undefined) return table;
    if (device !== undefined) return await this.#parts.device(device, options);
    const process = processOf(choice);
    if (process !== undefined) return await this.#ofProcess(process, options);
    if (sampleMs !== undefined && address !== undefined) {
      return await this.#sampled(sampleMs, address, options);
    }
    if (root !== undefined) {
      const context = await this.anyContext(options);
      architectureNamed(context.rules.architecture).registers.checkRoot(root, context);
      return { context: withRoot(context, root), source: { kind: "root" } };
    }
    const { cpu, context } = await this.vcpus.of(choice.cpu);
    return { context, source: { kind: "cpu", cpu } };
  }

  async #ofProcess(wanted: WantedProcess, { signal }: ReadOptions): Promise<PageTable> {
    const source = await this.#parts.processes();
    const { pid, comm, context } = await source.tableOf(wanted, signal ? { signal } : {});
    return { context, source: { kind: "process", pid, comm } };
  }

  async #sampled(forMs: number, address: AddressLike, options: ReadOptions): Promise<PageTable> {
    const { sampleTables } = await import("./sample.ts");
    const { walk } = await import("../translate/walk.ts");
    return await sampleTables(
      {
        tables: () => this.vcpus.all(),
        walk: (context) =>
          walk(this.#parts.memory, context, address, { ...options, recheck: false }),
      },
      forMs,
      options.signal,
    );
  }

  /** The context that a named root is put into: how the guest pages, whatever its CR3s are. */
  async anyContext({ signal }: ReadOptions): Promise<Regime> {
    const { mode, paging } = this.#parts;
    if (mode !== undefined) return architectureWithMode(mode).registers.contextOfMode(mode, paging);
    const { context } = await this.vcpus.of();
    if (context.noTables === undefined) return context;
    const { tables: [first], all } = await this.vcpus.translating(signal);
    if (first !== undefined) return first.context;
    throw new NoTablesError({
      ...all[0]!.context.noTables!,
      reason: `the paging mode at the root is not known, as ${whyNone(all)}`,
      next: `give the mode too: ${modesOf(all[0]!.context)}`,
    });
  }
}

/** The kinds of tables that the architecture has, for a sentence. */
function modesOf({ rules }: Regime): string {
  const { modes } = architectureNamed(rules.architecture).registers;
  const names = modes.filter((name) => name !== "none");
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
