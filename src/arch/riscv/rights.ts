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

/** How rights come about: the leaf alone decides (RISC-V privileged architecture, 4.3.2). */
export const RISCV_RIGHTS: RightsRule = {
  ...everyLevelGrants(["user", "readable", "writable", "executable"], rightsOf),
  bits: {
    user: { field: "U", name: "_PAGE_USER", mask: 1n << 4n, setWhenGranted: true },
    readable: { field: "R", name: "_PAGE_READ", mask: 1n << 1n, setWhenGranted: true },
    writable: { field: "W", name: "_PAGE_WRITE", mask: 1n << 2n, setWhenGranted: true },
    executable: { field: "X", name: "_PAGE_EXEC", mask: 1n << 3n, setWhenGranted: true },
  },
  leafOf,
};
