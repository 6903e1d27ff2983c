import type { LevelFormat } from "../../translate/entry.ts";
import { PAGE_32, PAGE_64, TABLE_32, TABLE_64 } from "./bit_fields.ts";

/** The modes of `satp` that translate. */
export type RiscvMode = "Sv32" | "Sv39" | "Sv48" | "Sv57";

/** The modes of `hgatp`, the second stage's root register. */
export type RiscvSecondStageMode = `${RiscvMode}x4`;

/** One of RISC-V's translation modes, as data. */
export interface RiscvModeFormat {
  /** The width of the registers that have it. */
  readonly xlen: 32 | 64;
  /** The number in the MODE field of `satp` and `hgatp`. */
  readonly code: bigint;
  /** How many bits of a virtual address are translated. */
  readonly addressBits: number;
  /** How many bits a physical address has. */
  readonly physicalBits: number;
  /** The length of an entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** The levels, from the root down, by RISC-V's own count: level 0 maps the smallest pages. */
  readonly levels: readonly LevelFormat[];
}

function levels(count: number, indexBits: number): LevelFormat[] {
  const [table, page] = indexBits === 9 ? [TABLE_64, PAGE_64] : [TABLE_32, PAGE_32];
  return Array.from({ length: count }, (_, i) => {
    const level = count - 1 - i;
    const format: LevelFormat = {
      level,
      name: `L${level}`,
      entryName: `L${level} PTE`,
      shift: 12 + indexBits * level,
      indexBits,
      page,
    };
    return level === 0 ? format : { ...format, table };
  });
}

/** The modes by name (RISC-V privileged architecture, tables of `satp.MODE`). */
export const RISCV_MODES: Readonly<Record<RiscvMode, RiscvModeFormat>> = {
  Sv32: {
    xlen: 32,
    code: 1n,
    addressBits: 32,
    physicalBits: 34,
    entryBytes: 4,
    levels: levels(2, 10),
  },
  Sv39: mode64(8n, 39, 3),
  Sv48: mode64(9n, 48, 4),
  Sv57: mode64(10n, 57, 5),
};

function mode64(code: bigint, addressBits: number, count: number): RiscvModeFormat {
  return {
    xlen: 64,
    code,
    addressBits,
    physicalBits: 56,
    entryBytes: 8,
    levels: levels(count, 9),
  };
}

/** What a root register says. */
export interface RootRegister {
  /** The mode; null if addresses are not translated. */
  readonly mode: RiscvMode | null;
  /** The number in its MODE field, also where no mode has it. */
  readonly code: bigint;
  /** The physical address of the top table. */
  readonly root: bigint;
}

/** Takes `satp`, `vsatp` or `hgatp` apart: mode and root. The address-space number is left out. */
export function rootRegister(value: bigint, xlen: 32 | 64): RootRegister {
  const code = xlen === 64 ? value >> 60n : value >> 31n & 1n;
  const ppn = value & (xlen === 64 ? (1n << 44n) - 1n : (1n << 22n) - 1n);
  const names = Object.keys(RISCV_MODES) as RiscvMode[];
  const mode = names.find((name) =>
    RISCV_MODES[name].xlen === xlen && RISCV_MODES[name].code === code
  );
  return { mode: mode ?? null, code, root: ppn << 12n };
}
