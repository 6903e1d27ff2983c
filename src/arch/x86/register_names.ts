import type { RegisterNames } from "../register_names.ts";
import { CR0, CR4, EFER } from "./control_bits.ts";
import { pagingMode } from "./paging_context.ts";
import type { CpuRegisters } from "./registers.ts";

/** What x86's registers are called. */
export const X86_NAMES: RegisterNames = {
  noun: "vCPU",
  head: "cpu",
  fields: ["cr0", "cr3", "cr4", "efer", "rip"],
  known: [
    ...["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "rip"],
    ...Array.from({ length: 8 }, (_, i) => `r${i + 8}`),
    ...["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4", "efer"],
  ],
  otherwise: {
    pc: "RIP",
    sp: "RSP",
    fp: "RBP",
    rflags: "RFL",
    eflags: "RFL",
    fs_base: "FS_BASE",
    gs_base: "GS_BASE",
    gdtr: "GDT",
    idtr: "IDT",
  },
  reported: /CR[23]|R[A-Z0-9]{2}|E?FLAGS/,
  told: ({ rip, rflags, cr0, cr2, cr3, cr4, efer }: CpuRegisters) => ({
    ...{ RIP: rip, RFL: rflags, CR0: cr0, CR2: cr2, CR3: cr3, CR4: cr4, EFER: efer },
  }),
  // QEMU 7.2, target/i386/cpu-dump.c.
  *printed(block) {
    const hex = (digits: string) => BigInt(`0x${digits}`);
    for (const [, name, digits] of block.matchAll(/\b([A-Z][A-Z0-9]{1,4}) ?=([0-9a-f]{4,16})\b/g)) {
      yield [name!, hex(digits!)];
    }
    for (const [, name, digits] of block.matchAll(/^([FG]S) =[0-9a-f]{4} ([0-9a-f]{8,16})/gm)) {
      yield [`${name}_BASE`, hex(digits!)];
    }
    for (const [, name, digits] of block.matchAll(/^([GI]DT)= +([0-9a-f]{8,16})/gm)) {
      yield [name!, hex(digits!)];
    }
  },
  nextInstruction: ({ rip }: CpuRegisters) => rip,
  state(registers: CpuRegisters) {
    const { cpl, halted, smm } = registers;
    const mode = pagingMode(registers);
    const paging = mode === "none" ? "paging off" : `${mode} paging`;
    return `CPL ${cpl}, ${paging}${halted ? ", halted" : ""}${smm ? ", SMM" : ""}`;
  },
  rows: ({ rip, rflags, cr0, cr2, cr3, cr4, efer }: CpuRegisters, symbol) => [
    ["RIP", rip, symbol],
    ["RFLAGS", rflags, { AC: 1n << 18n }],
    ["CR0", cr0, CR0],
    ["CR2", cr2, "address of the last page fault"],
    ["CR3", cr3, "page-table root, with PCID or cache bits"],
    ["CR4", cr4, CR4],
    ["EFER", efer, EFER],
  ],
  summary: ({ cr3, cpl, rip, halted }: CpuRegisters) => ({ cr3, cpl, rip, halted }),
  columns: [
    { head: "CR3", field: "cr3" },
    { head: "CPL", field: "cpl", isNumber: true },
    { head: "RIP", field: "rip" },
  ],
};
