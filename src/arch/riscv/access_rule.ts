import type { Regime } from "../../translate/regime.ts";
import type { Walk } from "../../translate/walk.ts";
import type { AccessRule } from "../architecture.ts";
import {
  checkRiscvAccess,
  RISCV_ACCESS_KEYS,
  type RiscvAccess,
  riscvAccess,
  riscvAccessOn,
} from "./access.ts";
import type { RiscvRegisters } from "./registers.ts";

/** How RISC-V says what comes of an access: SUM, MXR and ADUE are the hart's. */
export const RISCV_ACCESS: AccessRule = {
  architecture: "riscv",
  usesRegisters: true,
  keys: RISCV_ACCESS_KEYS,
  check: checkRiscvAccess,
  decide: (walk: Walk, _regime: Regime, wanted: RiscvAccess, hart?: RiscvRegisters) =>
    riscvAccess(walk, hart ? riscvAccessOn(wanted, hart) : wanted),
};
