import { PagewalkError } from "../core/errors.ts";

/** Why a vCPU's root is not an answer to what the guest's page tables say. */
export type NoTablesCause =
  /** Translation is off: linear addresses are physical ones. */
  | "pagingOff"
  /** Translation is off and the vCPU waits: one that no kernel has started. */
  | "notStarted"
  /** It is in system-management mode: the tables are the firmware's. */
  | "smm"
  /** It is in a mode of the firmware's that does not translate: RISC-V's machine mode. */
  | "firmware"
  /** It may be inside a guest of this guest: its root is then an address in that guest's memory. */
  | "nested";

/** Why there are no tables to read. */
export interface NoTables {
  /** Which kind of reason it is. */
  readonly kind: NoTablesCause;
  /** The reason in a few words, such as `paging is off on vCPU 0 (CR0.PG=0)`. */
  readonly reason: string;
  /** What to do about it, if more is known than that another vCPU or a root may be named. */
  readonly next?: string;
}

/** Tables were to be read that are not there, or cannot be told from another guest's. */
export class NoTablesError extends PagewalkError {
  /** Why there are none. */
  readonly why: NoTables;

  /** Creates the error for one vCPU, or for a regime without tables. */
  constructor(why: NoTables) {
    super(`There are no page tables to read: ${describeNoTables(why)}`);
    this.why = why;
  }
}

/**
 * Says why there are no tables, and what to do about it.
 *
 * @example Usage
 * ```ts
 * import { describeNoTables, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const { noTables } = pagingContext({ cpu: 1, cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n });
 * assertEquals(describeNoTables(noTables!), "paging is off on vCPU 1 (CR0.PG=0)");
 * ```
 */
export function describeNoTables({ reason, next }: NoTables): string {
  return next === undefined ? reason : `${reason}; ${next}`;
}
