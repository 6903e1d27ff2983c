import type { CpuRegisters } from "../arch/x86/registers.ts";
import type { PageTableMode } from "./_page_table_formats.ts";

/** What {@linkcode registersFor} must know of the tables; a `PageTableBuilder` says it. */
export interface TablesInUse {
  /** The mode of the tables. */
  readonly mode: PageTableMode;
  /** The guest-physical address of the top table. */
  readonly root: bigint;
  /** EFER.NXE. */
  readonly nxEnabled: boolean;
  /** CR4.PSE. */
  readonly pageSizeExtensions: boolean;
}

/** What {@linkcode registersFor} cannot tell from the tables. */
export interface RegistersForOptions {
  /**
   * The vCPU's number.
   *
   * @default {0}
   */
  cpu?: number;
  /**
   * CR0.WP: supervisor writes obey R/W.
   *
   * @default {true}
   */
  writeProtect?: boolean;
  /**
   * CR4.PGE.
   *
   * @default {true}
   */
  globalPages?: boolean;
  /** The process-context identifier, 0 to 4095; setting it sets CR4.PCIDE. */
  pcid?: number;
  /**
   * CR4.PKE.
   *
   * @default {false}
   */
  protectionKeys?: boolean;
}

/**
 * Returns the registers of a vCPU that runs on a builder's tables, in ring 0.
 *
 * @example Usage
 * ```ts
 * import {
 *   PageTableBuilder,
 *   ramRange,
 *   registersFor,
 *   SparseMemory,
 * } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
 * const builder = new PageTableBuilder("5-level", memory, { tablesAt: 0x1000n });
 * assertEquals(registersFor(builder).cr3, 0x1000n);
 * assertEquals(registersFor(builder).cr4 >> 12n & 1n, 1n); // LA57
 * ```
 */
export function registersFor(
  tables: TablesInUse,
  options: RegistersForOptions = {},
): CpuRegisters {
  const { cpu = 0, writeProtect = true, globalPages = true, pcid, protectionKeys = false } =
    options;
  const { mode } = tables;
  const longMode = mode === "4-level" || mode === "5-level";
  // SDM 2.5: CR0.PE = 0, ET = 4, WP = 16, PG = 31; CR4.PSE = 4, PAE = 5, PGE = 7, LA57 = 12,
  // PCIDE = 17, PKE = 22. SDM 2.2.1: EFER.LME = 8, LMA = 10, NXE = 11.
  const bit = (number: number, on: boolean) => (on ? 1n << BigInt(number) : 0n);
  return {
    cpu,
    rip: 0n,
    rflags: 2n,
    cpl: 0,
    cr0: bit(0, true) | bit(4, true) | bit(16, writeProtect) | bit(31, true),
    cr2: 0n,
    cr3: tables.root | BigInt(pcid ?? 0),
    cr4: bit(4, mode === "32-bit" && tables.pageSizeExtensions) | bit(5, mode !== "32-bit") |
      bit(7, globalPages) | bit(12, mode === "5-level") | bit(17, pcid !== undefined) |
      bit(22, protectionKeys),
    efer: bit(8, longMode) | bit(10, longMode) |
      bit(11, mode !== "32-bit" && tables.nxEnabled),
    halted: false,
  };
}
