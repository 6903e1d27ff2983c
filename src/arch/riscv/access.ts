import { InvalidArgumentError } from "../../core/errors.ts";
import { BOOLEAN, checkOptions, oneOfWords, type OptionShape } from "../../core/options.ts";
import { describeNoTables } from "../../translate/no_tables.ts";
import { describeReservedBits } from "../../translate/reserved_bits.ts";
import type { Regime } from "../../translate/regime.ts";
import type { MappedWalk, Walk } from "../../translate/walk.ts";
import type { AccessRule } from "../access_rule.ts";
import { ENVCFG, type RiscvPrivilege, type RiscvRegisters, STATUS } from "./registers.ts";

/** An access to a virtual address of a RISC-V guest. */
export interface RiscvAccess {
  /** The privilege of the access. @default {"S"} */
  readonly privilege?: RiscvPrivilege;
  /** A store. @default {false} */
  readonly write?: boolean;
  /** An instruction fetch. @default {false} */
  readonly fetch?: boolean;
  /** `sstatus.SUM`, which lets the supervisor touch user pages. @default what the hart has, else false */
  readonly sum?: boolean;
  /** `sstatus.MXR`, which makes executable pages readable. @default what the hart has, else false */
  readonly mxr?: boolean;
  /**
   * Svadu: hardware sets A and D, where else an access to a page without them faults.
   *
   * @default what `menvcfg.ADUE` says; where nobody tells it, such an access has no verdict
   */
  readonly hardwareSetsBits?: boolean;
}

const SHAPE: OptionShape<RiscvAccess> = {
  privilege: oneOfWords("U", "S", "M"),
  write: BOOLEAN,
  fetch: BOOLEAN,
  sum: BOOLEAN,
  mxr: BOOLEAN,
  hardwareSetsBits: BOOLEAN,
};

const INSTEAD = {
  cpl: 'privilege: "U" or "S"',
  user: 'privilege: "U"',
  supervisor: 'privilege: "S"',
  machine: 'privilege: "M"',
  mode: "privilege",
  store: "write",
  load: "neither write nor fetch",
  read: "neither write nor fetch",
  exec: "fetch",
  execute: "fetch",
  smap: "sum",
};

/** The page faults of RISC-V, by the number that `scause` holds (privileged architecture, 4.1.8). */
const CAUSES = {
  fetch: { code: 12, name: "instruction page fault" },
  read: { code: 13, name: "load page fault" },
  write: { code: 15, name: "store page fault" },
} as const;

/** What comes of an access. */
export type RiscvAccessVerdict =
  /** It goes through. */
  | { readonly outcome: "ok"; readonly physicalAddress: bigint }
  /** It raises a page fault. */
  | {
    readonly outcome: "pageFault";
    readonly error: { readonly code: number; readonly bits: readonly string[] };
    readonly reason: string;
  }
  /** The tables could not be read, or whether A and D are set by hardware is not known. */
  | { readonly outcome: "unknown"; readonly reason: string };

/**
 * Checks that there is such an access.
 *
 * @throws {InvalidArgumentError} if it has keys or values that mean nothing, or writes and fetches
 */
function checkRiscvAccess(access: RiscvAccess): void {
  checkOptions(access, "the access", SHAPE, INSTEAD);
  if (access.write && access.fetch) {
    throw new InvalidArgumentError("One access cannot store and fetch: ask for each", access);
  }
}

/** The access with what a hart's registers say of it, where it does not say so itself. */
export function riscvAccessOn(
  access: RiscvAccess,
  { mstatus, menvcfg }: Pick<RiscvRegisters, "mstatus" | "menvcfg">,
): RiscvAccess {
  return {
    sum: Boolean(mstatus & STATUS.SUM),
    mxr: Boolean(mstatus & STATUS.MXR),
    ...menvcfg !== undefined && { hardwareSetsBits: Boolean(menvcfg & ENVCFG.ADUE) },
    ...access,
  };
}

/**
 * Says what comes of an access to a walked address (privileged architecture, 4.3.2): whether it goes
 * through, or which page fault it raises, with its number in `scause`. Physical memory protection and
 * what a TLB may still hold are left out.
 *
 * @throws {InvalidArgumentError} if the access stores and fetches at once, or is of no privilege
 *
 * @example Usage
 * ```ts
 * import { riscvAccess, riscvRegime, walk } from "@pagewalk/pagewalk";
 * import { ramRange, RiscvPageTables, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
 * const tables = new RiscvPageTables("Sv39", memory, 0x8010_0000n);
 * tables.map(0x1000n, 0x8080_0000n, 0, { bits: "VRWAD" });
 * const found = await walk(memory, riscvRegime("Sv39", tables.root), 0x1000n);
 * const verdict = riscvAccess(found, { privilege: "U" });
 * assert(verdict.outcome === "pageFault");
 * assertEquals(verdict.error, { code: 13, bits: ["load page fault"] });
 * ```
 */
export function riscvAccess(walk: Walk, access: RiscvAccess = {}): RiscvAccessVerdict {
  checkRiscvAccess(access);
  if (access.privilege === "M") return { outcome: "ok", physicalAddress: walk.address };
  const kind = access.fetch ? "fetch" : access.write ? "write" : "read";
  const fault = (reason: string): RiscvAccessVerdict => {
    const { code, name } = CAUSES[kind];
    return { outcome: "pageFault", error: { code, bits: [name] }, reason };
  };
  switch (walk.outcome) {
    case "nonCanonical":
      return fault(`it is not an address of ${walk.mode}`);
    case "unreadable":
      return { outcome: "unknown", reason: "the tables could not be read" };
    case "noTables":
      return { outcome: "unknown", reason: describeNoTables(walk.why) };
    case "notPresent":
      return fault(`the ${walk.entry.name} entry is not valid`);
    case "reservedBits":
      return fault(
        `the ${walk.entry.name} entry ${describeReservedBits(walk.entry, walk.regime)}`,
      );
    case "mapped": {
      const reason = refuse(walk, access);
      if (reason !== null) return fault(reason);
      return unsetBit(walk, access, fault) ??
        { outcome: "ok", physicalAddress: walk.physicalAddress };
    }
  }
}

/** Why the rights of a page refuse an access, or null. */
function refuse({ effective }: MappedWalk, access: RiscvAccess): string | null {
  const { privilege = "S", write = false, fetch = false, sum = false, mxr = false } = access;
  if (privilege === "U" && !effective.user) return "U is clear: user mode may not touch the page";
  if (privilege === "S" && effective.user) {
    if (fetch) return "U is set: the supervisor never executes a user page";
    if (!sum) return "U is set: the supervisor may not touch a user page while SUM is clear";
  }
  if (fetch) return effective.executable ? null : "X is clear: the page may not be executed";
  if (write) return effective.writable ? null : "W is clear: the page is read-only";
  if (effective.readable || (mxr && effective.executable)) return null;
  return effective.executable
    ? "R is clear, and MXR is: the page may be executed only"
    : "R is clear: the page may not be read";
}

/** What comes of an access whose A or D is clear; undefined if it is of no account. */
function unsetBit(
  { leaf }: MappedWalk,
  { write = false, hardwareSetsBits }: RiscvAccess,
  fault: (reason: string) => RiscvAccessVerdict,
): RiscvAccessVerdict | undefined {
  const bit = !leaf.accessed ? "A" : write && !leaf.dirty ? "D" : undefined;
  if (bit === undefined || hardwareSetsBits) return undefined;
  if (hardwareSetsBits === false) return fault(`${bit} is clear, and hardware does not set it`);
  const reason =
    `${bit} is clear: the access faults unless hardware sets it (Svadu), and that is ` +
    "not known";
  return { outcome: "unknown", reason };
}

/** How RISC-V says what comes of an access: SUM, MXR and ADUE are the hart's. */
export const RISCV_ACCESS: AccessRule = {
  usesRegisters: true,
  keys: Object.keys(SHAPE),
  check: checkRiscvAccess,
  decide: (walk: Walk, _regime: Regime, wanted: RiscvAccess, hart?: RiscvRegisters) =>
    riscvAccess(walk, hart ? riscvAccessOn(wanted, hart) : wanted),
};
