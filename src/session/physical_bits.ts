import { PagewalkError } from "../core/errors.ts";
import type { LinuxProcesses } from "../linux/linux_processes.ts";
import { readPhysicalBits } from "../monitor/commands/physical_bits.ts";
import { ConnectionLostError } from "../monitor/errors.ts";
import type { Monitor } from "../monitor/monitor.ts";

/** Where MAXPHYADDR is looked for. */
export interface PhysicalBitsInit {
  /** What an option says; then it is not looked for. */
  readonly named: number | undefined;
  /** The monitor, if there is one. */
  readonly monitor: Monitor | undefined;
  /** The Linux that the guest runs. */
  linux(): Promise<LinuxProcesses>;
}

/** Learns the vCPUs' MAXPHYADDR, once from each source. */
export class PhysicalBits {
  readonly #parts: PhysicalBitsInit;
  #machine: Promise<number | null> | null = null;
  #kernel: Promise<number | null> | null = null;

  constructor(parts: PhysicalBitsInit) {
    this.#parts = parts;
  }

  /** What the machine says, in two commands; null where there is no monitor, or it does not tell. */
  ofMachine(): Promise<number | null> {
    const { named, monitor } = this.#parts;
    return this.#machine ??= named !== undefined || monitor === undefined
      ? Promise.resolve(named ?? null)
      : readPhysicalBits(monitor);
  }

  /** What the machine says, else what the kernel recorded at boot; null if neither tells. */
  async ofMachineOrKernel(): Promise<number | null> {
    return await this.ofMachine() ?? await (this.#kernel ??= this.#askKernel());
  }

  async #askKernel(): Promise<number | null> {
    try {
      return await (await this.#parts.linux()).physicalAddressBits();
    } catch (error) {
      // No Linux, or none that can be read: then nobody tells it.
      if (error instanceof PagewalkError && !(error instanceof ConnectionLostError)) return null;
      throw error;
    }
  }
}
