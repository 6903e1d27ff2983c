import type { PageTableEntry } from "../../translate/entry.ts";
import {
  everyLevelGrants,
  type LeafRights,
  type Rights,
  type RightsRule,
} from "../../translate/rights.ts";

/** What one entry allows. Only one that maps a page has a say; others allow everything. */
function rightsOf({ kind, flags }: PageTableEntry): Rights {
  const isLeaf = kind === "page";
  return {
    user: !isLeaf || flags.user === true,
    readable: !isLeaf || flags.readable === true,
    writable: !isLeaf || flags.writable === true,
    executable: !isLeaf || flags.executable === true,
  };
}

function leafOf(entry: PageTableEntry): LeafRights {
  const { flags, raw } = entry;
  return {
    ...rightsOf(entry),
    accessed: flags.accessed === true,
    dirty: flags.dirty === true,
    global: flags.global === true,
    memoryType: Number(raw >> 61n & 3n),
  };
}

/** The privileges that tables bind, each with the bits of `sstatus` that widen it. */
const PRIVILEGES = [
  { name: "U", isUser: true },
  { name: "S", isUser: false },
  { name: "S+SUM", isUser: false, sum: true },
] as const;

/**
 * What each privilege may do with a page (RISC-V privileged architecture, 4.3.2): the supervisor touches
 * user pages with SUM only, and never executes them; with MXR an executable page may be read. MXR has an
 * entry of its own where it changes something.
 */
export function riscvByPrivilege(rights: Rights): Readonly<Record<string, string>> {
  const { user, readable, writable, executable } = rights;
  const all: Record<string, string> = {};
  for (const { name, isUser, ...bits } of PRIVILEGES) {
    const own = isUser === user;
    const data = own || !isUser && "sum" in bits;
    const letters = (mxr: boolean) =>
      (data && (readable || mxr && executable) ? "r" : "-") + (data && writable ? "w" : "-") +
      (own && executable ? "x" : "-");
    all[name] = letters(false);
    if (letters(true) !== letters(false)) all[`${name}+MXR`] = letters(true);
  }
  return all;
}

/** How rights come about: the leaf alone decides (RISC-V privileged architecture, 4.3.2). */
export const RISCV_RIGHTS: RightsRule = {
  ...everyLevelGrants(["user", "readable", "writable", "executable"], rightsOf),
  bits: {
    user: { field: "U", name: "_PAGE_USER", mask: 1n << 4n, setWhenGranted: true },
    readable: { field: "R", name: "_PAGE_READ", mask: 1n << 1n, setWhenGranted: true },
    writable: { field: "W", name: "_PAGE_WRITE", mask: 1n << 2n, setWhenGranted: true },
    executable: { field: "X", name: "_PAGE_EXEC", mask: 1n << 3n, setWhenGranted: true },
  },
  byPrivilege: riscvByPrivilege,
  leafOf,
};

/** Those of a second stage, which knows no privileges: every access of an inner guest is a user's. */
const { byPrivilege: _, ...RISCV_SECOND_STAGE_RIGHTS } = RISCV_RIGHTS;
export { RISCV_SECOND_STAGE_RIGHTS };
