import type { AddressLike } from "../core/address.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { Regime } from "../translate/regime.ts";
import type { PagingContextOptions } from "./default_types.ts";
import type { GuestRegisters } from "./registers.ts";

/** One vCPU's registers as the monitor prints them: the number is null where there was no header. */
export type Printed<R extends GuestRegisters> = Omit<R, "cpu"> & { readonly cpu: number | null };

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

/** How an architecture's registers are told by the ways into a guest, and what they mean. */
export interface RegisterFormats {
  /** The names of the kinds of tables that a root can be of, for one that is named. */
  readonly modes: readonly string[];
  /** Whether `info registers` has printed registers of this architecture. */
  recognizes(reply: string): boolean;
  /**
   * Reads what `info registers` or `info registers -a` prints.
   *
   * @throws {DamagedRegistersError} if a register is missing
   */
  printed(reply: string): Printed<GuestRegisters>[];
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
    | ((note: DataView, cpu: number, machine: DumpedMachine) => GuestRegisters | string)
    | null;
  /** What a dump does not hold, and what is taken for it. */
  readonly dumpNotice: string;
  /** The page that a vCPU's root register points to. */
  rootOf(registers: GuestRegisters): bigint;
  /** The regime of a vCPU by its registers alone. */
  regimeOf(registers: GuestRegisters): Regime;
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
