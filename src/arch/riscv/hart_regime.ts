import { given } from "../../core/options.ts";
import type { Regime } from "../../translate/regime.ts";
import type { NoTables } from "../../translate/no_tables.ts";
import { type RiscvMode, rootRegister } from "./modes.ts";
import {
  bareRegime,
  type RiscvExtensions,
  type RiscvRegime,
  riscvRegime,
  riscvSecondStage,
} from "./regime.ts";
import { ENVCFG, type RiscvRegisters } from "./registers.ts";

/**
 * The regime that a hart's `satp` selects. If the hart does not translate by it, `noTables` says why: in
 * machine mode, with `satp.MODE` 0, and while it runs a guest of this guest.
 *
 * @example Usage
 * ```ts
 * import { riscvRegimeOf } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const hart = { architecture: "riscv", cpu: 0, xlen: 64, pc: 0n, mstatus: 0xa_0000_0000n } as const;
 * const regime = riscvRegimeOf({ ...hart, satp: 0x8000_0000_0008_7f41n, virtualized: false });
 * assertEquals([regime.mode, regime.root], ["Sv39", 0x87f4_1000n]);
 * ```
 */
export function riscvRegimeOf(registers: RiscvRegisters): RiscvRegime {
  const { satp, xlen } = registers;
  const { mode, root } = rootRegister(satp, xlen);
  const regime = mode === null ? bareRegime() : riscvRegime(mode, root, extensionsOf(registers));
  const noTables = whyNoRoot(registers);
  return noTables ? { ...regime, noTables } : regime;
}

/** The two stages in which a hart translates for a guest of this guest. */
export interface RiscvStages {
  /** From virtual to guest-physical addresses (`vsatp`); null if they are the same. */
  readonly first: RiscvRegime | null;
  /** From guest-physical to physical addresses (`hgatp`); null if they are the same. */
  readonly second: RiscvRegime | null;
}

/**
 * The stages that `vsatp` and `hgatp` select, where both are known: by the monitor since 11.1, by the
 * gdbstub in every version. Null where they are not, and where one selects a mode that is not known.
 *
 * @example Usage
 * ```ts
 * import { riscvStagesOf } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const stages = riscvStagesOf({
 *   ...{ architecture: "riscv", cpu: 0, xlen: 64, pc: 0n, mstatus: 0n, virtualized: true },
 *   ...{ satp: 0n, vsatp: 0x8000_7000_0004_0020n, hgatp: 0x8000_5000_0008_0010n },
 * });
 * assertEquals([stages?.first?.mode, stages?.second?.mode], ["Sv39", "Sv39x4"]);
 * ```
 */
export function riscvStagesOf(registers: RiscvRegisters): RiscvStages | null {
  const { vsatp, hgatp, xlen } = registers;
  if (vsatp === undefined || hgatp === undefined) return null;
  if ([vsatp, hgatp].some((value) => isUnknownMode(value, xlen))) return null;
  const extensions = extensionsOf(registers);
  const stage = (
    value: bigint,
    make: (mode: RiscvMode, root: bigint, extensions: RiscvExtensions) => RiscvRegime,
    mask: bigint,
  ) => {
    const { mode, root } = rootRegister(value, xlen);
    return mode && make(mode, root & mask, extensions);
  };
  return {
    first: stage(vsatp, riscvRegime, ~0n),
    // The root has 16 KiB: the two lowest bits of its page number read as 0.
    second: stage(hgatp, riscvSecondStage, ~0x3fffn),
  };
}

/** Neither a mode nor 0, which is none. */
function isUnknownMode(value: bigint, xlen: 32 | 64): boolean {
  const { mode, code } = rootRegister(value, xlen);
  return mode === null && code !== 0n;
}

function extensionsOf({ menvcfg, softwareBits60To59 }: RiscvRegisters): RiscvExtensions {
  return {
    ...menvcfg !== undefined && { memoryTypes: Boolean(menvcfg & ENVCFG.PBMTE) },
    ...given({ softwareBits60To59 }),
  };
}

/** What remains of a regime of RISC-V once its functions are left out. */
export function riscvRegimeFrom(state: Readonly<Record<string, unknown>>): Regime | null {
  const { mode, root, memoryTypes, softwareBits60To59 } = state;
  if (typeof mode !== "string" || typeof root !== "bigint") return null;
  const named = /^(Sv32|Sv39|Sv48|Sv57)(x4)?$/.exec(mode);
  if (named === null || !isSwitch(memoryTypes) || !isSwitch(softwareBits60To59)) return null;
  const extensions = {
    ...given({ memoryTypes, softwareBits60To59 }),
  };
  const make = named[2] === undefined ? riscvRegime : riscvSecondStage;
  return make(named[1] as RiscvMode, root, extensions);
}

function isSwitch(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === "boolean";
}

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
    : `satp.MODE of hart ${cpu} is ${code}, which is not a known mode`;
  return { kind: "pagingOff", reason };
}
