import type { CpuSource } from "../arch/cpu_source.ts";
import { formatsByName, formatsOf, REGISTER_FORMATS } from "../arch/architectures.ts";
import { describeNoTables, type NoTables, NoTablesError } from "../translate/no_tables.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import type { PagingContextOptions } from "../arch/x86/paging_context.ts";
import type { GuestRegisters } from "../arch/registers.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { AddressLike } from "../core/address.ts";
import type { LinuxProcesses } from "../linux/linux_processes.ts";
import type { WantedProcess } from "../linux/processes.ts";
import { checkTableChoice, type PageTable, type TableChoice } from "./table_choice.ts";

/** A vCPU's number and its tables; `context.noTables` says if they must not be read. */
export interface VcpuTable {
  readonly cpu: number;
  readonly context: Regime;
}

/** A vCPU is in a nested guest for milliseconds at a time: its host runs at each of its timer's ticks. */
const LOOK_AGAIN_MS = 3000;
const PAUSE_MS = 1;

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
    const peers = formatsOf(registers).needsPeers(registers) ? await this.#cpus.allRegisters() : [];
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
   * Those of all vCPUs that translate by the guest's tables. While each of the others is in a nested
   * guest, it is looked again for some seconds; none may be left.
   */
  async translating(signal?: AbortSignal): Promise<{ tables: VcpuTable[]; all: VcpuTable[] }> {
    const started = performance.now();
    for (;;) {
      const all = await this.all();
      const tables = all.filter(({ context }) => context.noTables === undefined);
      const mayReturn = all.some(({ context }) => context.noTables?.kind === "nested");
      if (tables.length > 0 || !mayReturn || performance.now() - started > LOOK_AGAIN_MS) {
        return { tables, all };
      }
      signal?.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #tableOf(registers: GuestRegisters, peers: readonly GuestRegisters[]): Promise<VcpuTable> {
    const context = await formatsOf(registers).contextOf(
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

/** What the page tables of a guest are found with. */
export interface TableFinderParts {
  /** Where registers are asked for. */
  readonly cpus: CpuSource;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** What the registers do not tell of the guest's paging. */
  readonly paging: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: string;
  /** The Linux that the guest runs. */
  linux(): Promise<LinuxProcesses>;
  /** Finds the tables that translate a device's DMA. */
  device(device: string, options: ReadOptions): Promise<PageTable>;
}

/** Turns a choice of page table into the table: a vCPU's, a named root's, a process's. */
export class TableFinder {
  /** The tables of the guest's vCPUs. */
  readonly vcpus: VcpuTables;
  readonly #parts: TableFinderParts;

  constructor(parts: TableFinderParts) {
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
    const { root, sampleMs, cmdline, device } = choice;
    if (device !== undefined) return await this.#parts.device(device, options);
    const process = choice.pid ?? choice.comm ?? (cmdline === undefined ? undefined : { cmdline });
    if (process !== undefined) return await this.#ofProcess(process, options);
    if (sampleMs !== undefined && address !== undefined) {
      return await this.#sampled(sampleMs, address, options);
    }
    if (root !== undefined) {
      const context = await this.#anyContext(options);
      formatsByName(context.rules.architecture).checkRoot(root, context);
      return { context: withRoot(context, root), source: { kind: "root" } };
    }
    const { cpu, context } = await this.vcpus.of(choice.cpu);
    return { context, source: { kind: "cpu", cpu } };
  }

  async #ofProcess(wanted: WantedProcess, { signal }: ReadOptions): Promise<PageTable> {
    const linux = await this.#parts.linux();
    const process = await linux.process(wanted, signal ? { signal } : {});
    const { pid, comm } = process;
    return { context: linux.contextOf(process), source: { kind: "process", pid, comm } };
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
  async #anyContext({ signal }: ReadOptions): Promise<Regime> {
    const { mode, paging } = this.#parts;
    if (mode !== undefined) {
      const formats = REGISTER_FORMATS.find(({ modes }) => modes.includes(mode));
      return (formats ?? REGISTER_FORMATS[0]).contextOfMode(mode, paging);
    }
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
  const names = formatsByName(rules.architecture).modes.filter((name) => name !== "none");
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
