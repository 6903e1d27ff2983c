import type { PageTableEntry } from "../../translate/entry.ts";
import {
  everyLevelGrants,
  type LeafRights,
  type Right,
  type Rights,
  type RightsRule,
  type SettledRights,
  settledRights,
} from "../../translate/rights.ts";

/** The names of the rights, in the order in which they are shown. */
export const RIGHTS: readonly Exclude<Right, "readable">[] = [
  "user",
  "writable",
  "executable",
];

/** The bit that each right stands in, by Linux's name (arch/x86/include/asm/pgtable_types.h). */
const BITS: RightsRule["bits"] = {
  user: { field: "U/S", name: "_PAGE_USER", mask: 1n << 2n, setWhenGranted: true },
  writable: { field: "R/W", name: "_PAGE_RW", mask: 1n << 1n, setWhenGranted: true },
  executable: { field: "XD", name: "_PAGE_NX", mask: 1n << 63n, setWhenGranted: false },
};

/**
 * What one entry allows by itself. PAE's top entries have no say, so they allow everything.
 *
 * @example Usage
 * ```ts
 * import { connect, rightsOf } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { steps } = await guest.walk(0x7f1241000000n);
 * assertEquals(steps.map((entry) => rightsOf(entry).user), [true, true, false, true]);
 * ```
 */
export function rightsOf(entry: PageTableEntry): Rights {
  const { flags, hasRights } = entry;
  return {
    user: flags.user === true || !hasRights,
    writable: flags.writable === true || !hasRights,
    executable: flags.executeDisable !== true,
  };
}

/**
 * What the last entry of a mapping says of its page.
 *
 * @example Usage
 * ```ts
 * import { connect, leafRightsOf } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { steps } = await guest.walk(0x7f1241000000n);
 * assertEquals(leafRightsOf(steps.at(-1)!, false).user, true);
 * ```
 */
export function leafRightsOf(entry: PageTableEntry, hasProtectionKeys: boolean): LeafRights {
  const { flags } = entry;
  return {
    ...rightsOf(entry),
    accessed: flags.accessed === true,
    dirty: flags.dirty === true,
    global: flags.global === true,
    patIndex: (flags.pat ? 4 : 0) + (flags.cacheDisable ? 2 : 0) + (flags.writeThrough ? 1 : 0),
    protectionKey: hasProtectionKeys ? Number((entry.raw >> 59n) & 0xfn) : 0,
    ...entry.private !== undefined && { private: entry.private },
  };
}

/**
 * How rights come about: one stays only if every level gives it (Intel SDM vol. 3, 4.6).
 *
 * @param hasProtectionKeys whether CR4.PKE or CR4.PKS is set
 */
export function rightsRule(hasProtectionKeys: boolean): RightsRule {
  return {
    ...everyLevelGrants(RIGHTS, rightsOf),
    bits: BITS,
    leafOf: (entry) => leafRightsOf(entry, hasProtectionKeys),
  };
}

const RIGHTS_RULE = rightsRule(false);

/**
 * What all levels allow together, and the level that decides each right; see {@linkcode RightsRule}.
 *
 * @example Usage
 * ```ts
 * import { connect, effectiveRights } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { effective, decidedBy } = effectiveRights((await guest.walk(0x7f1241000000n)).steps);
 * assertEquals([effective.user, decidedBy.user], [false, 2]);
 * ```
 */
export function effectiveRights(
  steps: readonly PageTableEntry[],
): SettledRights {
  return settledRights(RIGHTS_RULE, steps);
}
