import type { CpuRegisters } from "../../src/arch/x86/registers.ts";
import type { SessionInit } from "../../src/session/guest_session.ts";
import { Session } from "../../src/session/session.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

/** A page whose `_PAGE_USER` is cleared. */
export const CLEARED = 0x7f12_3456_7000n;
/** Where Linux has its IDT and its TSS. */
export const LINUX = { idtBase: 0xffff_fe00_0000_0000n, trBase: 0xffff_fe00_0000_3000n };
export const SVME = 1n << 12n;
export const VMXE = 1n << 13n;

/** Tables with a cleared page and Linux's IDT, and the registers of a vCPU that runs on them. */
export function clearedPage(): { tables: PageTableBuilder; running: CpuRegisters } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  tables.map(CLEARED, 0x5000n, "4K", { writable: true, noExecute: true });
  tables.map(LINUX.idtBase, 0x6000n, "4K", { noExecute: true });
  const running = { ...registersFor(tables), smm: false, idtBase: 0n, trBase: 0n };
  return { tables, running };
}

/** As `qemu-system-x86_64 -S` shows a vCPU (7.2). */
export function inReset(cpu: number): CpuRegisters {
  return {
    ...{ cpu, rip: 0xfff0n, rflags: 2n, cpl: 0, cr0: 0x6000_0010n, cr2: 0n, cr3: 0n, cr4: 0n },
    ...{ efer: 0n, halted: cpu > 0, smm: false, idtBase: 0n, trBase: 0n },
  };
}

/** A session over tables and vCPUs of one's own; `vcpus` is asked anew each time. */
export function sessionOn(
  memory: SparseMemory,
  vcpus: () => readonly CpuRegisters[],
  parts: Partial<SessionInit> & { current?: number } = {},
): Session {
  const { current = 0, ...others } = parts;
  return new Session({
    source: {
      endpoint: "test",
      qemuVersion: "7.2.22",
      memory,
      cpus: {
        registers: (cpu = current) => Promise.resolve(vcpus()[cpu]!),
        allRegisters: () => Promise.resolve([...vcpus()]),
      },
      close: () => Promise.resolve(),
    },
    ...others,
  });
}
