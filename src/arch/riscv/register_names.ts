import type { RegisterNames } from "../register_names.ts";
import { whyNoRoot } from "./hart_regime.ts";
import { rootRegister } from "./modes.ts";
import { ENVCFG, type RiscvRegisters, STATUS } from "./registers.ts";

/** What RISC-V's registers are called. */
export const RISCV_NAMES: RegisterNames = {
  noun: "hart",
  head: "hart",
  fields: ["satp", "mstatus", "xlen"],
  known: ["pc", "satp", "vsatp", "hgatp", "mstatus", "menvcfg"],
  otherwise: {},
  told: ({ pc, satp, mstatus, vsatp, hgatp, menvcfg }: RiscvRegisters) => ({
    ...{ pc, satp, mstatus, vsatp, hgatp, menvcfg },
  }),
  nextInstruction: ({ pc }: RiscvRegisters) => pc,
  state(registers: RiscvRegisters) {
    const { xlen, privilege, satp } = registers;
    const why = whyNoRoot(registers);
    const { mode } = rootRegister(satp, xlen);
    const paging = why === null
      ? mode
      : why.kind === "pagingOff"
      ? "no translation"
      : "not on this guest's tables";
    const level = privilege ? `privilege ${privilege}` : "privilege unknown";
    return `${xlen} bits, ${level}, ${paging}`;
  },
  rows(registers: RiscvRegisters, symbol, hex) {
    const { xlen, pc, satp, mstatus, vsatp, hgatp, menvcfg, virtualized } = registers;
    const root = (value = 0n, suffix = "") => {
      const { mode, root } = rootRegister(value, xlen);
      return mode === null ? "no translation" : `${mode}${suffix}, root ${hex(root)}`;
    };
    return [
      ["pc", pc, symbol],
      ["satp", satp, virtualized ? "the inner guest's (V=1)" : root(satp)],
      ["mstatus", mstatus, STATUS],
      ["menvcfg", menvcfg, ENVCFG],
      ["vsatp", vsatp, root(vsatp)],
      ["hgatp", hgatp, root(hgatp, "x4")],
    ];
  },
  summary: ({ satp, privilege, pc }: RiscvRegisters) => ({
    satp,
    ...privilege && { privilege },
    pc,
  }),
  columns: [
    { head: "satp", field: "satp" },
    { head: "priv", field: "privilege" },
    { head: "pc", field: "pc" },
  ],
};
