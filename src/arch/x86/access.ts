import { InvalidArgumentError } from "../../core/errors.ts";
import { describeMayBeBeyond, describeReservedBits } from "../../translate/reserved_bits.ts";
import { describeNoTables } from "../../translate/no_tables.ts";
import { BOOLEAN, checkOptions, type OptionShape, wholeNumberFrom } from "../../core/options.ts";
import type { AccessRule } from "../access_rule.ts";
import type { PagingContext } from "./paging_context.ts";
import type { MappedWalk, Walk } from "../../translate/walk.ts";

/** An access to a linear address, and the registers that it depends on beside the paging context. */
export interface Access {
  /**
   * The privilege level of the access, 0 to 3. Level 3 is user mode.
   *
   * @default {0}
   */
  readonly cpl?: number;
  /**
   * A write.
   *
   * @default {false}
   */
  readonly write?: boolean;
  /**
   * An instruction fetch.
   *
   * @default {false}
   */
  readonly fetch?: boolean;
  /**
   * RFLAGS.AC, which lifts SMAP.
   *
   * @default {false}
   */
  readonly alignmentCheck?: boolean;
  /**
   * The PKRU register: two bits for each protection key of user pages. No monitor tells it.
   *
   * @default {0}, which forbids nothing
   */
  readonly pkru?: number;
  /**
   * The IA32_PKRS register: the same for supervisor pages. No monitor tells it.
   *
   * @default {0}, which forbids nothing
   */
  readonly pkrs?: number;
}

const ACCESS_SHAPE: OptionShape<Access> = {
  cpl: wholeNumberFrom(0, 3),
  write: BOOLEAN,
  fetch: BOOLEAN,
  alignmentCheck: BOOLEAN,
  pkru: wholeNumberFrom(0, 2 ** 32 - 1),
  pkrs: wholeNumberFrom(0, 2 ** 32 - 1),
};

const INSTEAD = {
  user: "cpl: 3",
  supervisor: "cpl: 0",
  kernel: "cpl: 0",
  ring: "cpl",
  exec: "fetch",
  execute: "fetch",
  executable: "fetch",
  writable: "write",
  read: "neither write nor fetch",
  ac: "alignmentCheck",
};

/**
 * Checks that there is such an access.
 *
 * @throws {InvalidArgumentError} if it has keys or values that mean nothing, or writes and fetches
 */
export function checkAccess(access: Access): void {
  checkOptions(access, "the access", ACCESS_SHAPE, INSTEAD);
  if (access.write && access.fetch) {
    throw new InvalidArgumentError("One access cannot write and fetch: ask for each", access);
  }
}

/** The error code that a page fault pushes (Intel SDM vol. 3, 4.7), and the bits that are set. */
export interface PageFaultCode {
  /** The code as a number. */
  readonly code: number;
  /** The names of its bits that are set: `P`, `W/R`, `U/S`, `RSVD`, `I/D`, `PK`. */
  readonly bits: readonly PageFaultBit[];
}

/** A bit of a page fault's error code. */
export type PageFaultBit = "P" | "W/R" | "U/S" | "RSVD" | "I/D" | "PK";

/** What comes of an access. */
export type AccessVerdict =
  /** It goes through. */
  | { readonly outcome: "ok"; readonly physicalAddress: bigint }
  /** It raises #PF. */
  | { readonly outcome: "pageFault"; readonly error: PageFaultCode; readonly reason: string }
  /** It raises #GP (or #SS, on the stack): the address is none. */
  | { readonly outcome: "generalProtection"; readonly reason: string }
  /** The tables could not be read. */
  | { readonly outcome: "unknown"; readonly reason: string };

const ERROR_BITS: Readonly<Record<PageFaultBit, number>> = {
  "P": 1 << 0,
  "W/R": 1 << 1,
  "U/S": 1 << 2,
  "RSVD": 1 << 3,
  "I/D": 1 << 4,
  "PK": 1 << 5,
};

/**
 * Says what comes of an access to a walked address: whether it goes through, and with which error code
 * it faults (Intel SDM vol. 3, 4.6 and 4.7). It honours CR0.WP, SMEP, SMAP, EFER.NXE and protection
 * keys. Shadow stacks, SGX and what a TLB may still hold are left out.
 *
 * @throws {InvalidArgumentError} if the access writes and fetches at once, or is of no privilege level
 *
 * @example Usage
 * ```ts
 * import { access, pagingContext, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const context = pagingContext(guest.registers(0));
 * const found = await walk(guest.memory, context, 0x7f1234567000n);
 * const verdict = access(found, context, { cpl: 3 });
 * assert(verdict.outcome === "pageFault");
 * assertEquals(verdict.error.bits, ["P", "U/S"]);
 * ```
 */
export function access(walk: Walk, context: PagingContext, options: Access = {}): AccessVerdict {
  checkAccess(options);
  const { cpl = 0, write = false, fetch = false } = options;
  const fault = (reason: string, ...bits: PageFaultBit[]): AccessVerdict => {
    const all: PageFaultBit[] = [...bits];
    if (write) all.push("W/R");
    if (cpl === 3) all.push("U/S");
    // SDM 4.7: fetches are told apart only if something can forbid them: SMEP, or XD.
    if (fetch && (context.smep || (context.executeDisable && context.mode !== "32-bit"))) {
      all.push("I/D");
    }
    return { outcome: "pageFault", error: errorCode(all), reason };
  };
  switch (walk.outcome) {
    case "nonCanonical":
      return { outcome: "generalProtection", reason: "the address is not canonical" };
    case "unreadable":
      return { outcome: "unknown", reason: "the tables could not be read" };
    case "noTables":
      return { outcome: "unknown", reason: describeNoTables(walk.why) };
    case "notPresent":
      return fault(`the ${walk.entry.name} entry is not present`);
    case "reservedBits":
      return fault(
        `the ${walk.entry.name} entry ${describeReservedBits(walk.entry, context)}`,
        "P",
        "RSVD",
      );
    case "mapped": {
      if (walk.mayBeBeyond) {
        return { outcome: "unknown", reason: describeMayBeBeyond(context, walk.physicalAddress) };
      }
      const byKey = fetch ? null : refuseByKey(walk, context, options);
      const reason = refuse(walk, context, options) ?? byKey;
      if (reason === null) return { outcome: "ok", physicalAddress: walk.physicalAddress };
      // SDM 4.7: PK is set whenever the key forbids the access, whatever else does.
      return fault(reason, "P", ...byKey === null ? [] : ["PK"] as const);
    }
  }
}

/** Why the rights of a page refuse an access, or null. */
function refuse({ effective }: MappedWalk, context: PagingContext, options: Access): string | null {
  const { cpl = 0, write = false, fetch = false, alignmentCheck = false } = options;
  const byUser = cpl === 3;
  if (byUser && !effective.user) return "user mode may not touch a supervisor page";
  if (fetch) {
    if (!effective.executable) return "the page may not be executed";
    const bySmep = !byUser && effective.user && context.smep;
    return bySmep ? "SMEP: the supervisor may not execute a user page" : null;
  }
  if (!byUser && effective.user && context.smap && !alignmentCheck) {
    return "SMAP: the supervisor may not touch a user page while RFLAGS.AC is clear";
  }
  if (write && !effective.writable && (byUser || context.writeProtect)) {
    return "the page is read-only";
  }
  return null;
}

/**
 * Why a protection key refuses a data access, or null. SDM 4.6.2: bit 2i of the register forbids all
 * accesses with key i, bit 2i+1 writes.
 */
function refuseByKey(
  { effective, leaf: { protectionKey: key = 0 } }: MappedWalk,
  context: PagingContext,
  { cpl = 0, write = false, pkru = 0, pkrs = 0 }: Access,
): string | null {
  const hasKeys = effective.user ? context.userKeys : context.supervisorKeys;
  if (!hasKeys || !context.mode.endsWith("-level")) return null;
  const [name, register] = effective.user ? ["PKRU", pkru] as const : ["PKRS", pkrs] as const;
  if ((register >>> (2 * key)) & 1) return `${name} forbids accesses with protection key ${key}`;
  const honoursWrites = cpl === 3 || context.writeProtect;
  if (write && honoursWrites && (register >>> (2 * key + 1)) & 1) {
    return `${name} forbids writes with protection key ${key}`;
  }
  return null;
}

function errorCode(bits: PageFaultBit[]): PageFaultCode {
  const names = (Object.keys(ERROR_BITS) as PageFaultBit[]).filter((name) => bits.includes(name));
  return { code: names.reduce((code, name) => code | ERROR_BITS[name], 0), bits: names };
}

/** How x86 says what comes of an access: by the paging context alone. */
export const X86_ACCESS: AccessRule = {
  usesRegisters: false,
  keys: Object.keys(ACCESS_SHAPE),
  check: checkAccess,
  decide: (walk: Walk, context: PagingContext, wanted: Access) => access(walk, context, wanted),
};
