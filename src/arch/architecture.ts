import type { Regime } from "../translate/regime.ts";
import type { AccessRule } from "./access_rule.ts";
import type { RegisterFormats } from "./register_formats.ts";
import type { RegisterNames } from "./register_names.ts";

/**
 * One architecture, as the rest of the program knows it. It is all that one adds: a row in
 * `architectures.ts`, or a call of {@linkcode registerArchitecture}.
 */
export interface Architecture {
  /** Its name, such as `x86`: that of its regimes' rules. */
  readonly name: string;
  /** QEMU's names of its targets, as `query-target` says them. */
  readonly targets: readonly string[];
  /** How registers are told, and which regime they mean. */
  readonly registers: RegisterFormats;
  /** What they are called. */
  readonly names: RegisterNames;
  /** What comes of an access. */
  readonly access: AccessRule;
  /**
   * The regime whose plain data these are: what remains of one once its functions are left out, with
   * the root as a `bigint`. Null if they are not those of a regime.
   */
  regimeFrom(state: Readonly<Record<string, unknown>>): Regime | null;
}
