import type { Regime } from "../translate/regime.ts";
import type { Walk } from "../translate/walk.ts";
import type { GuestRegisters } from "./registers.ts";

/** An access to an address, of any architecture: each adds who makes it, and what else it depends on. */
export interface GuestAccess {
  /** A write. @default {false} */
  readonly write?: boolean;
  /** An instruction fetch. @default {false} */
  readonly fetch?: boolean;
}

/** What comes of an access, of any architecture. */
export type GuestAccessVerdict =
  /** It goes through. */
  | { readonly outcome: "ok"; readonly physicalAddress: bigint }
  /** It raises a page fault: the number that tells it, and what its bits or it is called. */
  | {
    readonly outcome: "pageFault";
    readonly error: { readonly code: number; readonly bits: readonly string[] };
    readonly reason: string;
  }
  /** It raises another fault: the address is none. */
  | { readonly outcome: "generalProtection"; readonly reason: string }
  /** The tables could not be read, or something that it depends on is not known. */
  | { readonly outcome: "unknown"; readonly reason: string };

/** How an architecture says what comes of an access. */
export interface AccessRule {
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
