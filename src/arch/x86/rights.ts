import type { PageTableEntry } from "./entry.ts";
import type { PagingLevel } from "./modes.ts";

/** A right that every level of the tables has a say in. */
export type Right = "user" | "writable" | "executable";

/** What one entry, or all of them together, allow. */
export interface Rights {
  /** User-mode accesses are allowed (U/S). */
  readonly user: boolean;
  /** Writes are allowed (R/W). Supervisor writes ignore it while CR0.WP is clear. */
  readonly writable: boolean;
  /** Instruction fetches are allowed (XD clear). */
  readonly executable: boolean;
}

/** The rights of a mapping's last entry, with what else that entry says of the page. */
export interface LeafRights extends Rights {
  /** The page was accessed (A). */
  readonly accessed: boolean;
  /** The page was written (D). */
  readonly dirty: boolean;
  /** The translation survives a CR3 load (G). */
  readonly global: boolean;
  /** The three cache bits as an index into the PAT, 0 to 7: PAT, PCD, PWT. */
  readonly patIndex: number;
  /** The protection key, 0 to 15; 0 where entries have none. */
  readonly protectionKey: number;
  /** In a confidential guest: whether the page is private. */
  readonly private?: boolean;
}

/** For each right, the level that decides it, 5 to 1. */
export type DecidingLevels = Readonly<Record<Right | "present", PagingLevel>>;

/** The names of the rights, in the order in which they are shown. */
export const RIGHTS: readonly Right[] = ["user", "writable", "executable"];

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
    user: flags.user || !hasRights,
    writable: flags.writable || !hasRights,
    executable: !flags.executeDisable,
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
    accessed: flags.accessed,
    dirty: flags.dirty,
    global: flags.global,
    patIndex: (flags.pat ? 4 : 0) + (flags.cacheDisable ? 2 : 0) + (flags.writeThrough ? 1 : 0),
    protectionKey: hasProtectionKeys ? Number((entry.raw >> 59n) & 0xfn) : 0,
    ...entry.private !== undefined && { private: entry.private },
  };
}

/** What the levels walked so far leave, from the root down. */
export interface RightsSoFar {
  /** The rights that no level has taken away. */
  readonly effective: Rights;
  /** For each right that is gone, the level that took it away, 5 to 1. */
  readonly deniedAt: Readonly<Partial<Record<Right, PagingLevel>>>;
}

const UNRESTRICTED: Rights = Object.freeze({ user: true, writable: true, executable: true });

/** Before the first level: nothing is forbidden. */
export const ALL_RIGHTS: RightsSoFar = Object.freeze({
  effective: UNRESTRICTED,
  deniedAt: Object.freeze({}),
});

/**
 * What is left after one more level: a right stays only if every level grants it (Intel SDM vol. 3,
 * 4.6). The level nearest the root that takes a right away is the one that decides it.
 */
export function restrictRights(soFar: RightsSoFar, entry: PageTableEntry): RightsSoFar {
  const own = rightsOf(entry);
  const denied = RIGHTS.filter((right) => !own[right] && soFar.effective[right]);
  if (denied.length === 0) return soFar;
  const effective = { ...soFar.effective };
  const deniedAt = { ...soFar.deniedAt };
  for (const right of denied) {
    effective[right] = false;
    deniedAt[right] = entry.level;
  }
  return { effective, deniedAt };
}

/**
 * What all levels allow together, and the level that decides each right; see {@linkcode settleRights}.
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
): { effective: Rights; decidedBy: DecidingLevels } {
  return settleRights(steps.reduce(restrictRights, ALL_RIGHTS), steps.at(-1)!.level);
}

/** Each right's deciding level, once all levels are through: a right that all grant is the leaf's. */
export function settleRights(
  { effective, deniedAt }: RightsSoFar,
  leafLevel: PagingLevel,
): { effective: Rights; decidedBy: DecidingLevels } {
  const decidedBy = {
    present: leafLevel,
    user: deniedAt.user ?? leafLevel,
    writable: deniedAt.writable ?? leafLevel,
    executable: deniedAt.executable ?? leafLevel,
  };
  return { effective, decidedBy };
}
