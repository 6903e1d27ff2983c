import type { NotPresentContent, SpecialState } from "../translate/entry.ts";
import type { KernelSymbol } from "./kallsyms/kallsyms.ts";

/** What is asked of a kernel to know its types of swap entries. */
export interface SwapTypeSource {
  /** The release, as `uname -r` says it. */
  readonly release: string;
  /** The address of a symbol; null if there is none of that name. */
  address(name: string): Promise<bigint | null>;
  /** The symbol that an address belongs to. */
  symbolAt(address: bigint): Promise<KernelSymbol | null>;
}

/** How many types of each kind, in the order in which they follow the last of swap. */
interface Layout {
  readonly hwpoison: number;
  readonly migration: number;
  readonly device: number;
  readonly marker: number;
  readonly swapinError: number;
}

/** Which numbers a release may have; what is built in decides (include/linux/swap.h). */
interface Release {
  /** The first release: 6.2 is 6002. */
  readonly since: number;
  readonly migration: number;
  readonly device: number;
  readonly markers: readonly number[];
  readonly swapinError: number;
}

/** 1 << MAX_SWAPFILES_SHIFT. */
const TYPES = 32;
/** What the linker may leave between an array and the next variable. */
const MAX_PADDING = 8;

const RELEASES: readonly Release[] = [
  { since: 5_000, migration: 2, device: 2, markers: [0], swapinError: 0 },
  // b756a3b5e7ea "mm: device exclusive memory access".
  { since: 5_014, migration: 2, device: 4, markers: [0], swapinError: 0 },
  // 679d10331910 "mm: introduce PTE_MARKER swap entry", 6c287605fd56 (exclusive), 9f186f9e5fa9 (swapin error).
  { since: 5_019, migration: 3, device: 4, markers: [0, 1], swapinError: 1 },
  // ca92ea3dc5a2 "mm: always compile in pte markers", 15520a3f0469 "mm: use pte markers for swap errors".
  { since: 6_002, migration: 3, device: 4, markers: [1], swapinError: 0 },
  // One kind of device-exclusive entries instead of two.
  { since: 6_015, migration: 3, device: 3, markers: [1], swapinError: 0 },
];

/** What the special types of swap entries mean to one kernel. */
export class SwapTypes {
  readonly #layouts: readonly Layout[];

  private constructor(layouts: readonly Layout[]) {
    this.#layouts = layouts;
  }

  /**
   * Works them out from what is built in, by symbols, and from how many types are left for swap, by the
   * length of the array of swap devices. Both hold for kernels with features of later releases, too; the
   * release decides only where they do not.
   */
  static async of(kernel: SwapTypeSource): Promise<SwapTypes> {
    const has = async (...names: string[]) =>
      (await Promise.all(names.map((name) => kernel.address(name)))).some((at) => at !== null);
    const hwpoison = await has("memory_failure") ? 1 : 0;
    const moves = await has("migration_entry_wait");
    const lends = await has("make_device_exclusive_range", "make_device_exclusive");
    const setsUp = await has("migrate_vma_setup");
    const bound = await swapDevices(kernel);
    const version = versionOf(kernel.release);
    const own = RELEASES.findLast(({ since }) => version >= since);
    const of = (releases: readonly Release[]) =>
      releases.flatMap(({ since, migration, device, markers, swapinError }) => {
        // Before 5.14 only this function tells; later it is built in without device memory as well.
        const hasDevice = since < 5_014 ? setsUp : lends;
        return markers.map((marker): Layout => ({
          ...{ hwpoison, marker, swapinError },
          migration: moves ? migration : 0,
          device: hasDevice ? device : 0,
        }));
      }).filter((layout) => {
        const left = firstSpecial(layout);
        return bound === null || (left <= bound && left > bound - MAX_PADDING);
      });
    // The longest that fits: the linker pads seldom.
    const candidates = own ? of([own]) : [];
    return new SwapTypes(longest(candidates.length > 0 ? candidates : of(RELEASES), bound));
  }

  /** Names what a special entry may mean to this kernel. */
  named(content: NotPresentContent): NotPresentContent {
    if (content.kind !== "special") return content;
    const { type, frame } = content;
    const states = this.statesOf(type);
    if (states.length > 0) return { ...content, states };
    const isSwap = this.#layouts.length > 0 &&
      this.#layouts.every((layout) => type < firstSpecial(layout));
    return isSwap ? { kind: "swap", type, offset: frame >> 12n } : content;
  }

  /** What a type may mean; empty if it is not known. */
  statesOf(type: number): readonly SpecialState[] {
    return [...new Set(this.#layouts.flatMap((layout) => stateOf(layout, type) ?? []))];
  }
}

/** Among those with the fewest types left over, as the array's length says. */
function longest(layouts: readonly Layout[], bound: number | null): readonly Layout[] {
  if (bound === null) return layouts;
  const exact = layouts.filter((layout) => firstSpecial(layout) === bound);
  return exact.length > 0 ? exact : layouts;
}

/** MAX_SWAPFILES. */
function firstSpecial({ hwpoison, migration, device, marker, swapinError }: Layout): number {
  return TYPES - hwpoison - migration - device - marker - swapinError;
}

function stateOf(layout: Layout, type: number): SpecialState | null {
  const { hwpoison, migration, device, marker, swapinError } = layout;
  let at = type - firstSpecial(layout);
  if (at < 0) return null;
  if (at < hwpoison) return "hwpoison";
  at -= hwpoison;
  if (at < migration) return "migration";
  at -= migration;
  if (at < device) return at < 2 ? "device-private" : "device-exclusive";
  at -= device + marker;
  return at >= 0 && at < swapinError ? "swapin-error" : null;
}

/** How many elements `swap_info` may have, a pointer for each type of swap; null if it is not known. */
async function swapDevices(kernel: SwapTypeSource): Promise<number | null> {
  const start = await kernel.address("swap_info");
  if (start === null) return null;
  for (let count = TYPES; count > 0; count--) {
    const last = await kernel.symbolAt(start + BigInt(count * 8 - 1));
    if (last?.address === start) return count;
  }
  return null;
}

/** 6.1 as 6001. */
function versionOf(release: string): number {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(major) * 1000 + Number(minor);
}
