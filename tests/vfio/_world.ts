import { formatAddress, pagingContext, type VfioJudgement } from "../../mod.ts";
import type { LinuxProcess } from "../../src/entries/linux.ts";
import { findLoggedPages, type PageOwner } from "../../src/linux/vfio_pages.ts";
import { readVfioLog } from "../../src/linux/vfio_log.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { PageTableBuilder, ramRange, registersFor, SparseMemory } from "../../src/testing/mod.ts";
import { judgeAmongProcesses, judgeInProcess } from "../../src/vfio/_judge_logged_page.ts";

/** Where all that is cleared lies, in every process. */
export const ADDRESS = 0x7f12_3456_7000n;

const FIRST_FRAME = 0x100_0000n;

/** A process of the world, with tables of its own. */
export interface Living {
  readonly process: LinuxProcess;
  readonly tables: PageTableBuilder;
  /** What the kernel left in the entry at the last clearing; null before the first. */
  left: bigint | null;
}

/** Processes with page tables that a kernel with the patch works on, and the log that it writes. */
export class World {
  readonly memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  readonly living: Living[] = [];
  /** The log: text and facility of each record. */
  readonly log: { sequence: bigint; facility: number; text: string; timeNs: bigint }[] = [];
  /** Since boot; it passes when told to. */
  nowNs = 10_000_000_000n;
  #tablesAt = 0x10_0000n;
  #frame = FIRST_FRAME;
  #pid = 100;

  /** Starts a process; nothing is mapped at the address. */
  start(comm = "vfio_test"): Living {
    const tables = new PageTableBuilder("4-level", this.memory, { tablesAt: this.#tablesAt });
    this.#tablesAt += 0x1_0000n;
    const pid = this.#pid++;
    const process: LinuxProcess = {
      pid,
      comm,
      state: "S",
      isKernelThread: false,
      root: tables.root,
      // Under KPTI there is one; the bit is judged in the kernel's tables.
      userRoot: tables.root + 0x1000n,
      task: 0n,
      startNs: this.nowNs,
      threadCount: 1,
      mm: BigInt(pid),
    };
    const living = { process, tables, left: null };
    this.living.push(living);
    return living;
  }

  /** Maps a new page of a new frame, open to user code. */
  map({ tables }: Living, address = ADDRESS): void {
    const raw = this.#frame | 0x8000_0000_0000_0067n;
    this.#frame += 0x1000n;
    tables.change(address, 1, () => raw);
  }

  /** What the patch does: two records, and the bit between them. */
  clear(living: Living, address = ADDRESS): void {
    const old = living.tables.entry(address, 1);
    this.say(
      `VFIO: Clearing _PAGE_USER at vaddr ${formatAddress(address)}, old PTE: ${
        formatAddress(old)
      }`,
    );
    living.tables.change(address, 1, (raw) => raw & ~4n);
    living.left = living.tables.entry(address, 1);
    this.say(
      `VFIO: Successfully cleared _PAGE_USER at vaddr ${formatAddress(address)}, new PTE: ${
        formatAddress(living.left)
      }`,
    );
  }

  /** A record of the log. */
  say(text: string, facility = 0): void {
    this.log.push({ sequence: BigInt(this.log.length), facility, text, timeNs: this.nowNs });
  }

  /** Ends a process. */
  end(living: Living): void {
    this.living.splice(this.living.indexOf(living), 1);
  }

  /** Every process's tables. */
  owners(): PageOwner<LinuxProcess>[] {
    return this.living.map(({ process, tables }) => ({
      process,
      context: pagingContext(registersFor(tables)),
    }));
  }

  /** Judges all records of the log, in all processes or in one. */
  async judge(asked?: Living, memory: PhysicalMemory = this.memory): Promise<VfioJudgement[]> {
    const owners = this.owners().filter(({ process }) => !asked || process === asked.process);
    const judged: VfioJudgement[] = [];
    for await (const page of findLoggedPages(memory, owners, readVfioLog(this.log).records)) {
      judged.push(
        asked
          ? judgeInProcess(page.record, asked.process, page.candidates[0]?.walk ?? null)
          : judgeAmongProcesses(page),
      );
    }
    return judged;
  }
}
