import type { PageTableEntry } from "./entry.ts";

/** A right that tables can give and take away. */
export type Right = "user" | "writable" | "executable" | "readable";

/** What one entry, or all of them together, allow. */
export interface Rights {
  /** User-mode accesses are allowed. */
  readonly user: boolean;
  /** Writes are allowed. */
  readonly writable: boolean;
  /** Instruction fetches are allowed. */
  readonly executable: boolean;
  /** Reads are allowed; left out where every page that is mapped may be read. */
  readonly readable?: boolean;
}

/** The rights of a mapping's last entry, with what else that entry says of the page. */
export interface LeafRights extends Rights {
  /** The page was accessed. */
  readonly accessed: boolean;
  /** The page was written. */
  readonly dirty: boolean;
  /** The translation is the same in every address space. */
  readonly global: boolean;
  /** x86: the three cache bits as an index into the PAT, 0 to 7: PAT, PCD, PWT. */
  readonly patIndex?: number;
  /** RISC-V: the memory type (PBMT), 0 to 3: that of the memory, NC, IO, reserved. */
  readonly memoryType?: number;
  /** x86: the protection key, 0 to 15; 0 where entries have none. */
  readonly protectionKey?: number;
  /** In a confidential guest: whether the page is private. */
  readonly private?: boolean;
}

/**
 * Stands for the second stage where a level decides a right. No architecture has that number: RISC-V's levels
 * end with 0, and AArch64's begin with -1.
 */
export const SECOND_STAGE = -99;

/** For each right, the number of the level that decides it; -99 if it is the second stage. */
export interface DecidingLevels {
  /** The level of the entry that maps the page. */
  readonly present: number;
  /** The level that decides whether user mode may touch the page. */
  readonly user: number;
  /** The level that decides whether the page may be written. */
  readonly writable: number;
  /** The level that decides whether the page may be executed. */
  readonly executable: number;
  /** The level that decides whether the page may be read, where that is a right of its own. */
  readonly readable?: number;
}

/** What the levels walked so far leave, from the root down. */
export interface RightsSoFar {
  /** The rights as the levels so far have them. */
  readonly effective: Rights;
  /** For each right that no level below can change any more, the level that decided it. */
  readonly decidedAt: Readonly<Partial<Record<Right, number>>>;
}

/** What comes of all levels together. */
export interface SettledRights {
  /** What all levels allow together. */
  readonly effective: Rights;
  /** The level that decides each right. */
  readonly decidedBy: DecidingLevels;
}

/** The bit of an entry that a right stands in. */
export interface RightBit {
  /** The architecture's name of the bit, such as `U/S`. */
  readonly field: string;
  /** The name by which a kernel developer knows it, such as `_PAGE_USER`. */
  readonly name: string;
  /** The bit itself. */
  readonly mask: bigint;
  /** Whether the bit is set when the right is given, or when it is taken away. */
  readonly setWhenGranted: boolean;
}

/** How rights come about: what an entry says, and how the levels' words are put together. */
export interface RightsRule {
  /** The rights that there are, in the order in which they are shown. */
  readonly names: readonly Right[];
  /** The bit that each right stands in. */
  readonly bits: Readonly<Partial<Record<Right, RightBit>>>;
  /** What holds before the first level. */
  readonly start: RightsSoFar;
  /** What one entry allows by itself. An entry that has no say allows everything. */
  of(entry: PageTableEntry): Rights;
  /**
   * What each privilege may do with a page of such rights, as `rwx` letters, where rights are not the same
   * for all; left out where the rights themselves say it.
   */
  byPrivilege?(rights: Rights): Readonly<Record<string, string>>;
  /** What the last entry of a mapping says of its page. */
  leafOf(entry: PageTableEntry): LeafRights;
  /** What holds after one more level; the same object if that level changes nothing. */
  restrict(soFar: RightsSoFar, entry: PageTableEntry): RightsSoFar;
  /** What holds once all levels are through. */
  settle(soFar: RightsSoFar, leafLevel: number): SettledRights;
}

/** Every right. */
const UNRESTRICTED: Rights = Object.freeze({ user: true, writable: true, executable: true });

/** Nothing is forbidden. */
const ALL_RIGHTS: RightsSoFar = Object.freeze({
  effective: UNRESTRICTED,
  decidedAt: Object.freeze({}),
});

/**
 * The most common rule: a right stays only if every level gives it. The level nearest the root that
 * takes a right away is the one that decides it; a right that all give is the leaf's. Where the leaf
 * alone decides, entries that point to tables allow everything.
 *
 * @example Usage
 * ```ts
 * import { everyLevelGrants } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const rule = everyLevelGrants(["writable"], ({ flags }) => ({
 *   user: true,
 *   writable: flags.writable === true,
 *   executable: true,
 * }));
 * assertEquals(rule.names, ["writable"]);
 * ```
 */
export function everyLevelGrants(
  names: readonly Right[],
  of: (entry: PageTableEntry) => Rights,
): Pick<RightsRule, "names" | "start" | "of" | "restrict" | "settle"> {
  const hasReadable = names.includes("readable");
  function restrict(soFar: RightsSoFar, entry: PageTableEntry): RightsSoFar {
    const own = of(entry);
    const denied = names.filter((right) =>
      own[right] === false && soFar.effective[right] !== false
    );
    if (denied.length === 0) return soFar;
    const effective = { ...soFar.effective };
    const decidedAt = { ...soFar.decidedAt };
    for (const right of denied) {
      effective[right] = false;
      decidedAt[right] = entry.level;
    }
    return { effective, decidedAt };
  }
  function settle({ effective, decidedAt }: RightsSoFar, leafLevel: number): SettledRights {
    const decidedBy = {
      present: leafLevel,
      user: decidedAt.user ?? leafLevel,
      writable: decidedAt.writable ?? leafLevel,
      executable: decidedAt.executable ?? leafLevel,
      ...hasReadable && { readable: decidedAt.readable ?? leafLevel },
    };
    return { effective, decidedBy };
  }
  const start = hasReadable
    ? { ...ALL_RIGHTS, effective: { ...UNRESTRICTED, readable: true } }
    : ALL_RIGHTS;
  return { names, start, of, restrict, settle };
}

/** What all levels of a walk allow together, by a regime's rule. */
export function settledRights(rule: RightsRule, steps: readonly PageTableEntry[]): SettledRights {
  return rule.settle(steps.reduce(rule.restrict, rule.start), steps.at(-1)!.level);
}

/** What is left of a page's rights where a second stage has to give some of them, too. */
export function restrictedRights<T extends SettledRights>(
  found: T,
  second: Rights | undefined,
  restricts: readonly Right[],
): T {
  const denied = restricts.filter((right) =>
    second?.[right] === false && found.effective[right] !== false
  );
  if (denied.length === 0) return found;
  const all = <V>(value: V) => Object.fromEntries(denied.map((right) => [right, value]));
  return {
    ...found,
    effective: { ...found.effective, ...all(false) },
    decidedBy: { ...found.decidedBy, ...all(SECOND_STAGE) },
  };
}
