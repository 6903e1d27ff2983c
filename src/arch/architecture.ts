import type { Regime } from "../translate/regime.ts";

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
