import { type AddressLike, parseAddress } from "../core/address.ts";
import { type AddressSpan, covers } from "./address_span.ts";
import type { LevelDecoder, NotPresentContent, PageTableEntry } from "./entry.ts";
import type { KernelLayout } from "./kernel_layout.ts";
import type { NoTables } from "./no_tables.ts";
import type { LeafRights, Right, RightsRule } from "./rights.ts";
import type { ViewsRule } from "./views_rule.ts";
import type { SecondStage } from "./second_stage_rule.ts";

/**
 * One kind of translation, as data and a few pure functions: which table serves which addresses, how
 * tables are laid out, how rights come about, and what things are called. Whoever reads tables knows
 * this and no architecture.
 */
export interface Regime {
  /** The name of the kind of translation, such as `4-level` or `Sv39`. */
  readonly mode: string;
  /** The guest-physical address of the top table; 0 where there are no tables. */
  readonly root: bigint;
  /**
   * The top table that user code runs on, where the kernel keeps two views of one address space
   * (kernel page-table isolation): what user code may do is taken from there.
   */
  readonly userView?: bigint;
  /** The ranges of linear addresses that are translated, in address order. */
  readonly spans: readonly AddressSpan[];
  /** What holds for all of them. */
  readonly rules: RegimeRules;
  /** Why these tables must not be read: no entry of theirs is an answer. */
  readonly noTables?: NoTables;
  /** Frames at or above 2^this may not exist, as nobody told how many bits a physical address has. */
  readonly assuredFrameBits?: number;
  /** What every table's address and the result are translated by, in a guest within a guest. */
  readonly stage2?: SecondStage;
}

/** What a regime knows besides its tables. Regimes of one kind share this object. */
export interface RegimeRules {
  /** The architecture's name, such as `x86`. */
  readonly architecture: string;
  /** What an address is called that these tables translate. @default {"linear address"} */
  readonly addressName?: string;
  /** The name of the register that holds the root, such as `CR3`. */
  readonly rootName: string;
  /** How rights come about. */
  readonly rights: RightsRule;
  /** As a second stage: the rights without which even a table of the first stage may not be read. */
  readonly secondStageNeeds?: readonly Right[];
  /** The same for the result of the first stage, if a page need not be readable. @default the same */
  readonly secondStageResultNeeds?: readonly Right[];
  /** Why there is nothing to read where addresses are not translated. */
  readonly noTables: NoTables;
  /** What the number of a physical address's bits is called, such as `MAXPHYADDR`. */
  readonly frameLimitName: string;
  /** How Linux divides the address space. */
  readonly kernel: KernelLayout;
  /** How pages may be cached, by the number that {@linkcode RegimeRules.cacheIndexOf} gives. */
  readonly cacheTypes: readonly string[];
  /** Those of the cache types that devices are mapped by. */
  readonly deviceCacheTypes: readonly string[];
  /** Which of the cache types a page has. */
  cacheIndexOf(leaf: Pick<LeafRights, "patIndex" | "memoryType">): number;
  /** The address of the top table in a root register's value. */
  rootAddress(value: bigint): bigint;
  /** Why the bits that an entry sets are reserved, in a few words each; entries with the same are alike. */
  reservedCauses(entry: Pick<PageTableEntry, "reservedBits" | "hasRights">): readonly string[];
  /** What an access to a page that is mapped may still fault by, if its entry tells. */
  mayFault?(leaf: LeafRights): string | undefined;
  /** What a kernel keeps in an entry that is not present. */
  absentContent(raw: bigint): NotPresentContent;
  /** Whether a page's entry says that Linux keeps nothing of its frame: a device's, the page of zeros. */
  readonly isSpecial?: (raw: bigint) => boolean;
  /** How kernels keep a view of their own for user code, where they do. */
  readonly views?: ViewsRule;
}

/**
 * Returns the decoders of a regime's levels, from the root down, for its first range of addresses.
 *
 * @example Usage
 * ```ts
 * import { levelDecoders, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * const [, , , pt] = levelDecoders(context);
 * assertEquals(pt!.decode(0x3ff0a863n, 0x5109b38n, 359).flags.user, false);
 * ```
 */
export function levelDecoders(regime: Regime): readonly LevelDecoder[] {
  return regime.spans[0]?.levels ?? [];
}

/**
 * The same regime with another root, as for another process of the same guest. It is read even if the
 * registers' own root must not be. It has one view.
 *
 * @example Usage
 * ```ts
 * import { pagingContext, withRoot } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * assertEquals(withRoot(context, 0x246f0a5n).root, 0x246f000n);
 * ```
 */
export function withRoot<R extends Regime>(regime: R, root: AddressLike): R {
  const { userView: _view, noTables: _none, ...rest } = regime;
  const { rules } = regime;
  const noTables = isTranslated(regime) ? {} : { noTables: rules.noTables };
  return { ...rest, root: rules.rootAddress(parseAddress(root)), ...noTables } as R;
}

/** Why there is nothing to read by a regime, if so. */
export function whyNoTables(regime: Regime): NoTables | undefined {
  return regime.noTables ?? (isTranslated(regime) ? undefined : regime.rules.noTables);
}

function isTranslated({ spans }: Regime): boolean {
  return spans.some(({ levels }) => levels.length > 0);
}

/** The range of a regime's addresses that an address lies in; none if it is not an address there. */
export function spanAt(regime: Regime, address: bigint): AddressSpan | undefined {
  return regime.spans.find((span) => covers(span, address));
}

/** The level's decoder by its number, in the range that an address lies in or in any. */
export function levelOf(regime: Regime, level: number, address?: bigint): LevelDecoder | undefined {
  const span = address === undefined ? undefined : spanAt(regime, address);
  const levels = span?.levels ?? regime.spans.flatMap((each) => each.levels);
  return levels.find(({ format }) => format.level === level);
}

/** The name of an entry of a level, such as `PTE`. */
export function entryNameOf(regime: Regime, level: number): string {
  return levelOf(regime, level)?.format.entryName ?? "page";
}

/** How many hexadecimal digits a linear address of a regime is written with. */
export function addressDigits(regime: Regime): number {
  const isShort = regime.spans.every(({ addressBits, extension }) =>
    extension === "zeros" && addressBits <= 32
  );
  return isShort ? 8 : 16;
}
