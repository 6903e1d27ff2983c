import type { Helper } from "../helper.ts";
import { architectureOf } from "../../arch/architectures.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import { symbolText } from "../linux.ts";
import { registersText } from "../show/registers_text.ts";
import { showAs } from "../show/renderers.ts";

/** `regs(cpu)`. */
export const REGS: Helper = {
  name: "regs",
  usage: "regs(cpu?)",
  purpose: "the registers of a vCPU that paging depends on",
  example: `
> regs(0)
vCPU 0: CPL 3, 4-level paging
RIP     0x40_15bd
RFLAGS  0x202
CR0     0x8005_0033  PE WP PG
CR2     0x42_ee70    address of the last page fault
CR3     0x510_0000   page-table root, with PCID or cache bits
CR4     0x75_0eb0    PSE PAE PGE SMEP SMAP PKE
EFER    0xd01        LMA NXE
> regs(1).halted
true
`,
  create: (repl) => async (cpu?: number) => {
    const { guest } = repl;
    const registers = await guest.use((session, choice) =>
      session.registers<GuestRegisters>(cpu ?? choice.cpu)
    );
    const { names } = architectureOf(registers);
    const symbol = await symbolText(guest, names.nextInstruction(registers)) ?? "";
    return showAs(registers, (value, style) => registersText(value, names, style, symbol));
  },
};
