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

/** What one entry allows by itself. PAE's top entries have no say, so they allow everything. */
export function rightsOf(entry: PageTableEntry): Rights {
  const { flags, hasRights } = entry;
  return {
    user: flags.user || !hasRights,
    writable: flags.writable || !hasRights,
    executable: !flags.executeDisable,
  };
}

/** What the last entry of a mapping says of its page. */
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

/**
 * What all levels allow together: a right is left only if every level grants it (Intel SDM vol. 3,
 * 4.6). Each right is decided by the level nearest the root that takes it away or, where none does,
 * by the last entry.
 */
export function effectiveRights(
  steps: readonly PageTableEntry[],
): { effective: Rights; decidedBy: DecidingLevels } {
  const last = steps.at(-1)!;
  const effective = { user: true, writable: true, executable: true };
  const decidedBy = {
    present: last.level,
    user: last.level,
    writable: last.level,
    executable: last.level,
  };
  for (const step of steps) {
    const own = rightsOf(step);
    for (const right of RIGHTS) {
      if (own[right] || !effective[right]) continue;
      effective[right] = false;
      decidedBy[right] = step.level;
    }
  }
  return { effective, decidedBy };
}
