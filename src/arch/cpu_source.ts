import type { GuestRegisters } from "./registers.ts";

/** Where a guest's registers are asked for: a monitor, a gdbstub, the notes of a dump. */
export interface CpuSource {
  /**
   * Reads the registers of one vCPU that paging depends on: the one named by its number, from 0, else
   * the source's current one.
   *
   * @throws {NoSuchCpuError} if the guest has no such vCPU
   * @throws {MonitorError} if the guest cannot be asked
   */
  registers(cpu?: number): Promise<GuestRegisters>;
  /**
   * Reads the registers of every vCPU, in order of their numbers.
   *
   * @throws {MonitorError} if the guest cannot be asked
   */
  allRegisters(): Promise<GuestRegisters[]>;
}
