import type { AddressLike } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { Regime } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import type { RiscvAccess, RiscvAccessVerdict } from "./riscv/access.ts";
import type { PrintedRiscvRegisters } from "./riscv/parse_registers.ts";
import type { Access, AccessVerdict } from "./x86/access.ts";
import type { PagingContextOptions } from "./x86/paging_context.ts";
import type { CpuRegisters } from "./x86/registers.ts";
import type { GuestRegisters } from "./registers.ts";

/** One vCPU's registers as the monitor prints them: the number is null where there was no header. */
export type PrintedRegisters = PrintedX86Registers | PrintedRiscvRegisters;

/** Those of an x86 vCPU. */
export type PrintedX86Registers = Omit<CpuRegisters, "cpu"> & { cpu: number | null };

/** What an access can be, of any architecture. */
export type GuestAccess = Access | RiscvAccess;

/** What comes of it. */
export type GuestAccessVerdict = AccessVerdict | RiscvAccessVerdict;

/** How an architecture says what comes of an access. */
export interface AccessRule {
  /** The architecture's name. */
  readonly architecture: string;
  /** Whether it depends on registers of the vCPU beside the regime. */
  readonly usesRegisters: boolean;
  /** The keys that an access may have. */
  readonly keys: readonly string[];
  /**
   * Checks that there is such an access.
   *
   * @throws {InvalidArgumentError} if there is none
   */
  check(access: GuestAccess): void;
  /** What comes of an access to a walked address. */
  decide(
    walk: Walk,
    regime: Regime,
    access: GuestAccess,
    registers?: GuestRegisters,
  ): GuestAccessVerdict;
}

/** What was to tell registers lacks one, or is damaged. */
export class DamagedRegistersError extends PagewalkError {
  /** The text in which something is missing. */
  readonly text: string;
  /** What is missing. */
  readonly missing: string;

  /** Creates the error for a text. */
  constructor(text: string, missing: string) {
    super(`The registers lack ${missing}`);
    this.text = text;
    this.missing = missing;
  }
}

/** A register by the names that a gdbstub may list it under. */
export type StubRegister = readonly [string, ...string[]];

/** How an architecture's registers are read at a gdbstub. */
export interface StubRegisters {
  /** What is asked for, in this order. */
  readonly wanted: readonly StubRegister[];
  /** What is asked for after these, if the stub lists it. */
  readonly optional?: readonly StubRegister[];
  /** The registers made of the answers and of what the monitor printed. */
  combine(values: readonly (bigint | undefined)[], printed: GuestRegisters): GuestRegisters;
}

/** What the head of a dump says of the machine. */
export interface DumpedMachine {
  /** Whether it is that of a 64-bit machine. */
  readonly longMode: boolean;
}

/** One architecture, as the rest of the program knows it. */
export interface Architecture {
  /** Its name, such as `x86`: that of its regimes' rules. */
  readonly name: string;
  /** QEMU's names of its targets, as `query-target` says them. */
  readonly targets: readonly string[];
  /**
   * The regime whose plain data these are: what remains of one once its functions are left out, with
   * the root as a `bigint`. Null if they are not those of a regime.
   */
  regimeFrom(state: Readonly<Record<string, unknown>>): Regime | null;
}

/** How an architecture's registers are told by the ways into a guest. */
export interface RegisterFormats {
  /** The architecture's name. */
  readonly architecture: string;
  /** The names of the kinds of tables that a root can be of, for one that is named. */
  readonly modes: readonly string[];
  /** Whether `info registers` has printed registers of this architecture. */
  recognizes(reply: string): boolean;
  /**
   * Reads what `info registers` or `info registers -a` prints.
   *
   * @throws {DamagedRegistersError} if a register is missing
   */
  printed(reply: string): PrintedRegisters[];
  /** What a gdbstub is asked for. */
  readonly stub: StubRegisters;
  /** The numbers of its machines in an ELF core (`e_machine`). */
  readonly dumpMachines: readonly number[];
  /**
   * Reads QEMU's note of one vCPU in a dump; null where dumps have no root register.
   *
   * @returns the registers, or why they cannot be read
   */
  readonly dumped:
    | ((note: DataView, cpu: number, machine: DumpedMachine) => CpuRegisters | string)
    | null;
  /** What a dump does not hold, and what is taken for it. */
  readonly dumpNotice: string;
  /** The page that a vCPU's root register points to. */
  rootOf(registers: GuestRegisters): bigint;
  /**
   * The regime of a vCPU; its `noTables` says if the vCPU does not translate by the guest's tables.
   *
   * @param peers the registers of all vCPUs, if those of one do not tell enough
   */
  contextOf(
    memory: PhysicalMemory,
    registers: GuestRegisters,
    peers: readonly GuestRegisters[],
    options: Omit<PagingContextOptions, "root">,
  ): Promise<Regime>;
  /** Whether the registers of one vCPU do not tell enough. */
  needsPeers(registers: GuestRegisters): boolean;
  /** The regime of a kind of tables, if no registers are asked for. */
  contextOfMode(mode: string, options: Omit<PagingContextOptions, "root">): Regime;
  /**
   * Checks a root that somebody named.
   *
   * @throws {InvalidArgumentError} if no table of the regime's kind can be there
   */
  checkRoot(root: AddressLike, regime: Regime): void;
}
