import type { FaultRule } from "./fake_monitor_options.ts";

/** A fake monitor as a test sees it: what reached it, and what is to go wrong. */
export interface MonitorControl {
  /** The commands received so far, oldest first, without empty lines; the first 100,000. */
  readonly commands: readonly string[];
  /** How many clients were served so far, one after the other. */
  readonly clients: number;
  /** What handlers threw, oldest first. Each ended a connection. */
  readonly errors: readonly unknown[];
  /** Counts the commands that start with a text or match a pattern; without either, all. */
  count(matching?: string | RegExp): number;
  /**
   * Sets a fault. Those set later are looked at first.
   *
   * @throws {InvalidArgumentError} if it is to trickle in pieces of no bytes
   */
  inject(rule: FaultRule): void;
  /** Lets something happen: over QMP, clients are told of it at once, as of QEMU's `STOP`. */
  event(name: string): void;
  /** Removes every fault. */
  clearFaults(): void;
}
