import type { AddressLike } from "../core/address.ts";
import { assumedRegisters } from "../arch/x86/assumed_registers.ts";
import type { CpuSource } from "../arch/cpu_source.ts";
import {
  type PagingContext,
  pagingContext,
  type PagingContextOptions,
  type PagingModeName,
} from "../arch/x86/paging_context.ts";
import { withRoot } from "../translate/regime.ts";
import type { CpuRegisters } from "../arch/x86/registers.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { checkTableChoice, type PageTable, type TableChoice } from "./table_choice.ts";

/** What the page tables of a guest are found with. */
export interface TableFinderParts {
  /** Where registers are asked for. */
  readonly cpus: CpuSource;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** What the registers do not tell of the guest's paging. */
  readonly paging: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: PagingModeName;
  /** The Linux that the guest runs. */
  linux(): Promise<LinuxGuest>;
}

/** Turns a choice of page table into the table: a vCPU's, a named root's, a process's. */
export class TableFinder {
  readonly #parts: TableFinderParts;

  constructor(parts: TableFinderParts) {
    this.#parts = parts;
  }

  /** Finds the page table that a choice means; see `Session.pageTable`. */
  async find(
    choice: TableChoice,
    address?: AddressLike,
    options: ReadOptions = {},
  ): Promise<PageTable> {
    checkTableChoice(choice, address);
    const { cpu, root, sampleMs } = choice;
    const process = choice.pid ?? choice.comm;
    if (process !== undefined) return await this.#ofProcess(process, options);
    if (sampleMs !== undefined && address !== undefined) {
      return await this.#sampled(sampleMs, address, options);
    }
    if (root !== undefined) {
      return { context: withRoot(await this.#anyContext(), root), source: { kind: "root" } };
    }
    const registers = await this.#parts.cpus.registers(cpu);
    return { context: this.#context(registers), source: { kind: "cpu", cpu: registers.cpu } };
  }

  /** The paging context of every vCPU now, by number. */
  async contexts(): Promise<{ cpu: number; context: PagingContext }[]> {
    const all = await this.#parts.cpus.allRegisters();
    return all.map((registers) => ({ cpu: registers.cpu, context: this.#context(registers) }));
  }

  async #ofProcess(wanted: number | string, { signal }: ReadOptions): Promise<PageTable> {
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
        contexts: () => this.contexts(),
        walk: (context) =>
          walk(this.#parts.memory, context, address, { ...options, recheck: false }),
      },
      forMs,
      options.signal,
    );
  }

  /** The context that a named root is put into: how the guest pages, whatever its CR3s are. */
  async #anyContext(): Promise<PagingContext> {
    const { mode, paging, cpus } = this.#parts;
    if (mode !== undefined) return pagingContext(assumedRegisters(mode), paging);
    return this.#context(await cpus.registers());
  }

  #context(registers: CpuRegisters): PagingContext {
    return pagingContext(registers, this.#parts.paging);
  }
}
