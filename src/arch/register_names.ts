import type { GuestRegisters } from "./registers.ts";

/** A register, its value and what that says, in words or as bits; undefined if it was not told. */
export type RegisterRow = readonly [
  name: string,
  value: bigint | undefined,
  meaning: string | Readonly<Record<string, bigint>>,
];

/** A column that an architecture adds to the table of vCPUs. */
export interface CpuColumn {
  /** What stands above it. */
  readonly head: string;
  /** The field of {@linkcode RegisterNames.summary} that it shows. */
  readonly field: string;
  /** Whether it is written at the right. */
  readonly isNumber?: true;
}

/** What an architecture's registers are called, and how a vCPU is told in few words. */
export interface RegisterNames {
  /** What a vCPU is called: `vCPU`, `hart`. */
  readonly noun: string;
  /** What stands above a vCPU's number in a table. */
  readonly head: string;
  /** The fields by which its registers are told from other values. */
  readonly fields: readonly string[];
  /** The names that a register may be asked for by, as gdb has them. */
  readonly known: readonly string[];
  /** What gdb calls otherwise than the monitor. */
  readonly otherwise: Readonly<Record<string, string>>;
  /** Registers as Linux's reports of faults have them, before a colon. */
  readonly reported?: RegExp;
  /** The registers that were told, by the monitor's name. */
  told(registers: GuestRegisters): Readonly<Record<string, bigint | undefined>>;
  /** Every other register in what `info registers` prints of a vCPU, by the same names. */
  printed?(block: string): Iterable<readonly [name: string, value: bigint]>;
  /** The address of the next instruction. */
  nextInstruction(registers: GuestRegisters): bigint;
  /** Privilege and kind of paging in few words. */
  state(registers: GuestRegisters): string;
  /** The registers as lines. The symbol at the next instruction is empty where it is not known. */
  rows(
    registers: GuestRegisters,
    symbol: string,
    hex: (value: bigint) => string,
  ): readonly RegisterRow[];
  /** What a table of vCPUs has beside mode and root. */
  summary(
    registers: GuestRegisters,
  ): Readonly<Record<string, unknown>> & { readonly halted?: boolean };
  /** How the table shows that; the column of the next instruction comes last. */
  readonly columns: readonly CpuColumn[];
}
