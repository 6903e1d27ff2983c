import type { LevelDecoder, NotPresentContent, PageTableEntry } from "./entry.ts";
import { type AddressLike, MAX_ADDRESS, parseAddress } from "../core/address.ts";
import type { KernelLayout } from "./kernel_layout.ts";
import type { NoTables } from "./no_tables.ts";
import { type LeafRights, type Right, type RightsRule, SECOND_STAGE } from "./rights.ts";
import type { TableViews, ViewsRule } from "./views_rule.ts";
import type { SecondStage } from "./second_stage_rule.ts";

/** A range of linear addresses that one top table serves. */
export interface AddressSpan {
  /** How many low bits of an address are translated. */
  readonly addressBits: number;
  /** What the bits above them must be: clear, set, or copies of the highest translated bit. */
  readonly extension: "zeros" | "ones" | "sign";
  /** How many of the highest bits are ignored, as they hold a tag. */
  readonly tagBits?: number;
  /** The top table, where it is not the regime's root: the kernel's, where it has a register of its own. */
  readonly table?: bigint;
  /** The length of an entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** An entry is present if one of these bits is set; they lie in its low 32 bits. */
  readonly presentBits: number;
  /** The bits that hardware sets by itself, accessed and dirty; they lie in the low 32 bits too. */
  readonly hardwareBits: bigint;
  /** The levels, from the root down; none where addresses are not translated. */
  readonly levels: readonly LevelDecoder[];
}

/** Addresses from the first to the last. */
export interface AddressInterval {
  /** The first one. */
  readonly first: bigint;
  /** The last one. */
  readonly last: bigint;
}

const END = MAX_ADDRESS + 1n;

/** Says whether an address lies in a span: whether the bits above the translated ones are as they must be. */
export function covers(
  { addressBits, extension, tagBits = 0 }: AddressSpan,
  address: bigint,
): boolean {
  const bits = 64 - tagBits;
  const plain = tagBits === 0 ? address : BigInt.asUintN(bits, address);
  switch (extension) {
    case "zeros":
      return plain >> BigInt(addressBits) === 0n;
    case "ones":
      return plain >> BigInt(addressBits) === (1n << BigInt(bits - addressBits)) - 1n;
    case "sign": {
      const upper = plain >> BigInt(addressBits - 1);
      return upper === 0n || upper === (1n << BigInt(bits - addressBits + 1)) - 1n;
    }
  }
}

/** The whole address whose translated bits these are. */
export function extend({ addressBits, extension }: AddressSpan, address: bigint): bigint {
  switch (extension) {
    case "zeros":
      return BigInt.asUintN(addressBits, address);
    case "ones":
      return BigInt.asUintN(addressBits, address) | (END - (1n << BigInt(addressBits)));
    case "sign":
      return BigInt.asUintN(64, BigInt.asIntN(addressBits, address));
  }
}

/** The addresses of a span, in order: two intervals if the highest translated bit is copied. */
export function intervalsOf({ addressBits, extension }: AddressSpan): AddressInterval[] {
  const size = 1n << BigInt(addressBits);
  switch (extension) {
    case "zeros":
      return [{ first: 0n, last: size - 1n }];
    case "ones":
      return [{ first: END - size, last: END - 1n }];
    case "sign":
      return [{ first: 0n, last: size / 2n - 1n }, { first: END - size / 2n, last: END - 1n }];
  }
}

/**
 * Cuts a range down to what a span translates, without the bits that only extend an address: one
 * interval, since the addresses that are none lie in the middle. Null if the whole range lies outside.
 */
export function intervalIn(
  range: { start: bigint; last: bigint },
  span: AddressSpan,
): AddressInterval | null {
  const parts = intervalsOf(span).flatMap(({ first, last }) => {
    const from = range.start > first ? range.start : first;
    const to = range.last < last ? range.last : last;
    return from <= to ? [{ first: from, last: to }] : [];
  });
  if (parts.length === 0) return null;
  const plain = (address: bigint) => BigInt.asUintN(span.addressBits, address);
  return { first: plain(parts[0]!.first), last: plain(parts.at(-1)!.last) };
}

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
  /** The same: the rights that it and the first stage have to give both. @default none */
  readonly secondStageRestricts?: readonly Right[];
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
  /** What a kernel keeps in an entry that is not present, in a table of a level (1, if left out). */
  absentContent(raw: bigint, level?: number): NotPresentContent;
  /** The same regime for so many bits of a physical address, where they were not known. */
  withFrameBits?(regime: Regime, bits: number): Regime;
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
 * import { pagingContext } from "@pagewalk/pagewalk";
 * import { levelDecoders } from "@pagewalk/pagewalk/extend";
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
  if (level === SECOND_STAGE) return "the second stage";
  return levelOf(regime, level)?.format.entryName ?? "page";
}

/** How many hexadecimal digits a linear address of a regime is written with. */
export function addressDigits(regime: Regime): number {
  const isShort = regime.spans.every(({ addressBits, extension }) =>
    extension === "zeros" && addressBits <= 32
  );
  return isShort ? 8 : 16;
}

/** The regime with the view that user code runs on, if there is one and the root is the kernel's. */
export function withUserView<R extends Regime>(regime: R, views: TableViews | null): R {
  if (views?.kernelRoot !== regime.root) return regime;
  return { ...regime, userView: views.userRoot };
}

/** The same regime with so many bits of a physical address, if that was not known; else that regime itself. */
export function withPhysicalBits(regime: Regime, bits: number | null): Regime {
  if (bits === null || regime.assuredFrameBits === undefined) return regime;
  return regime.rules.withFrameBits?.(regime, bits) ?? regime;
}
