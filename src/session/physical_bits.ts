import { PagewalkError } from "../core/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import { readPhysicalBits } from "../monitor/commands/physical_bits.ts";
import { ConnectionLostError } from "../monitor/errors.ts";
import type { Monitor } from "../monitor/monitor.ts";

/** Learns the vCPUs' MAXPHYADDR, once from each source. */
export class PhysicalBits {
  readonly #named: number | undefined;
  readonly #monitor: Monitor | undefined;
  readonly #linux: () => Promise<LinuxGuest>;
  #machine: Promise<number | null> | null = null;
  #kernel: Promise<number | null> | null = null;

  /** Asks nobody if somebody named it, else the monitor, if there is one, and the guest's Linux. */
  constructor(
    named: number | undefined,
    monitor: Monitor | undefined,
    linux: () => Promise<LinuxGuest>,
  ) {
    this.#named = named;
    this.#monitor = monitor;
    this.#linux = linux;
  }

  /** What the machine says, in two commands; null where there is no monitor, or it does not tell. */
  ofMachine(): Promise<number | null> {
    return this.#machine ??= this.#named !== undefined || this.#monitor === undefined
      ? Promise.resolve(this.#named ?? null)
      : readPhysicalBits(this.#monitor);
  }

  /** What the machine says, else what the kernel recorded at boot; null if neither tells. */
  async ofMachineOrKernel(): Promise<number | null> {
    return await this.ofMachine() ?? await (this.#kernel ??= this.#askKernel());
  }

  async #askKernel(): Promise<number | null> {
    try {
      return await (await this.#linux()).physicalAddressBits();
    } catch (error) {
      // No Linux, or none that can be read: then nobody tells it.
      if (error instanceof PagewalkError && !(error instanceof ConnectionLostError)) return null;
      throw error;
    }
  }
}
