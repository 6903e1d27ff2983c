import { CapabilityError } from "./errors.ts";
import type { LinuxGuest } from "./linux_guest.ts";

/** What is asked of a kernel: a `LinuxGuest` answers it. */
export type FrameKernel = Pick<LinuxGuest, "type" | "enumeration" | "frameTable">;

/** How a kernel keeps its frames. */
export interface FrameLayout {
  /** The virtual address of frame 0's `struct page`. */
  readonly first: bigint;
  /** The length of a `struct page`. */
  readonly pageBytes: number;
  /** Where members of it lie. */
  readonly flags: number;
  readonly mapCount: number;
  readonly references: number;
  readonly mapping: number;
  /** In a page that is not the first of a large one: which is the first; and how it is told. */
  readonly head: { readonly at: number; readonly isMask: boolean };
  /** Where a large page counts its pins, from its first `struct page` on; null if it has no count. */
  readonly pinCount: number | null;
  /** The bits of `flags`, by name in small letters; some have another one in anonymous memory. */
  readonly flagNames: readonly FlagName[];
  /** What is no page of anybody, by the top byte of `page_type`; before 6.11 by its bits. */
  readonly typeNames: readonly (readonly [name: string, value: number])[] | null;
}

/** A bit of `flags`: `anonymous` is its name in anonymous memory. */
export interface FlagName {
  readonly bit: number;
  readonly name: string;
  readonly anonymous: string;
}

/**
 * What the flags of anonymous memory are called that mean something else of a file's: PG_mappedtodisk and
 * PG_owner_priv_1, later PG_owner_2 (include/linux/page-flags.h).
 */
const ANONYMOUS_NAMES = new Set(["PG_anon_exclusive", "PG_swapcache"]);

/** Other names of a flag (include/linux/page-flags.h): each bit is told by its first name. */
const NO_FLAG = /^(__|NR_)/;

/**
 * Finds how this kernel keeps its frames (`struct page`).
 *
 * @throws {CapabilityError} if it has no type data (BTF)
 */
export async function readFrameLayout(linux: FrameKernel): Promise<FrameLayout> {
  const page = await linux.type("page");
  if (!page) throw new CapabilityError("types", "This kernel's types have no struct page");
  const at = (name: string) => page.members.find((member) => member.name === name)?.offset;
  const folio = await linux.type("folio");
  const flags = await linux.enumeration("pageflags");
  const types = await linux.enumeration("pagetype");
  const first = await linux.frameTable();
  if (first === null) {
    throw new CapabilityError(
      "types",
      "This kernel does not tell where its frame table is (vmemmap)",
    );
  }
  const head = at("compound_head");
  const mask = at("compound_info");
  return {
    first,
    pageBytes: page.sizeBytes,
    flags: needed(at("flags"), "flags"),
    mapCount: needed(at("_mapcount"), "_mapcount"),
    references: needed(at("_refcount"), "_refcount"),
    mapping: needed(at("mapping"), "mapping"),
    head: { at: needed(head ?? mask, "compound_head"), isMask: head === undefined },
    pinCount: folio?.members.find(({ name }) => name === "_pincount")?.offset ?? null,
    flagNames: flagNamesOf(flags),
    typeNames: types && [...types].filter(([name]) => name.startsWith("PGTY_"))
      .map(([name, value]) => [name.slice(5), value] as const),
  };
}

function needed(offset: number | undefined, member: string): number {
  if (offset !== undefined) return offset;
  throw new CapabilityError("types", `This kernel's struct page has no ${member}`);
}

/** One name for each bit: the enumeration has aliases, such as PG_movable_ops for PG_uptodate. */
export function flagNamesOf(flags: ReadonlyMap<string, number> | null): FlagName[] {
  const names = new Map<number, FlagName>();
  for (const [full, bit] of flags ?? []) {
    if (NO_FLAG.test(full) || !full.startsWith("PG_")) continue;
    const name = full.slice(3);
    const known = names.get(bit);
    if (!known) names.set(bit, { bit, name, anonymous: name });
    else if (ANONYMOUS_NAMES.has(full)) names.set(bit, { ...known, anonymous: name });
  }
  return [...names.values()];
}
