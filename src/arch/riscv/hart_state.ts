import type { NoTables } from "../../translate/no_tables.ts";
import { rootRegister } from "./modes.ts";
import type { RiscvRegisters } from "./registers.ts";

/** Addresses are not translated, and no hart is known: what there is to say then. */
export const TRANSLATION_OFF: NoTables = Object.freeze({
  kind: "pagingOff",
  reason: "addresses are not translated (satp.MODE=0)",
});

/**
 * Why a hart's `satp` is no root of the guest's tables; null if it is. The one place that decides it.
 *
 * With V=1 `satp` shows the inner guest's (`vsatp`), in every version of QEMU and in its gdbstub.
 */
export function whyNoRoot(registers: RiscvRegisters): NoTables | null {
  const { cpu, virtualized, privilege, satp, xlen } = registers;
  if (virtualized) {
    const reason = `hart ${cpu} runs a guest of this guest (V=1): its satp is that guest's, and ` +
      "this guest's own is not shown";
    return { kind: "nested", reason };
  }
  if (privilege === "M") {
    const reason = `hart ${cpu} is in machine mode, which does not translate: the firmware runs`;
    return { kind: "firmware", reason };
  }
  const { mode, code } = rootRegister(satp, xlen);
  if (mode !== null) return null;
  const reason = code === 0n
    ? `addresses are not translated on hart ${cpu} (satp.MODE=0)`
    : `satp.MODE of hart ${cpu} is ${code}, which is no mode that is known`;
  return { kind: "pagingOff", reason };
}
