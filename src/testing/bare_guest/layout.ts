/**
 * What the bare guest maps: in each mode every page size, every right alone, every memory-type bit,
 * every protection key, and each right denied at each level, in the lower and in the upper half.
 */
import { FORMATS, type LevelFormat, PAGE_BYTES } from "../_page_table_formats.ts";
import type { EntryRights } from "../expected_translation.ts";
import type { PageSize, PageTableBuilder, PageTableMode } from "../page_table_builder.ts";
import { CODE_PAGE } from "./rom.ts";

/** Where the lower and the upper half's pages start; level 2 slot 0 is left to the boot code. */
const HALVES: Record<PageTableMode, [lower: bigint, upper: bigint]> = {
  "32-bit": [0x0040_0000n, 0xc000_0000n],
  "pae": [0x0020_0000n, 0xc000_0000n],
  "4-level": [0x0000_5500_0000_0000n, 0xffff_8880_0000_0000n],
  "5-level": [0x0055_0000_0000_0000n, 0xff11_0000_0000_0000n],
};

/** The first and the last page of each half, where sign extension goes wrong if it does. */
const EDGES: Record<PageTableMode, bigint[]> = {
  "32-bit": [0x1000n, 0x7fff_f000n, 0x8000_0000n, 0xffff_f000n],
  "pae": [0x1000n, 0x7fff_f000n, 0x8000_0000n, 0xffff_f000n],
  "4-level": [0x1000n, 0x7fff_ffff_f000n, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_f000n],
  "5-level": [0x1000n, 0xff_ffff_ffff_f000n, 0xff00_0000_0000_0000n, 0xffff_ffff_ffff_f000n],
};

const ALLOWED: EntryRights = { user: true, writable: true, noExecute: false };
const DENIED: EntryRights[] = [{ user: false }, { writable: false }, { noExecute: true }];
const ATTRIBUTES: EntryRights[] = [
  { global: true },
  { pat: true },
  { pcd: true },
  { pwt: true },
  { accessed: true },
  { dirty: true },
  { global: true, pat: true, pcd: true, pwt: true, accessed: true, dirty: true },
];

/** Where a marker text can be read by virtual address, over two frames in the wrong order. */
export const MARKER_VA = 0x4000n;
/** A page that every vCPU maps, each to a frame of its own. */
export const SHARED_VA = 0x8000n;
/** vCPU n alone maps the page n pages after this one. */
export const PRIVATE_VA = 0xa000n;

/** Where the broken entries are, if they are asked for. */
const BROKEN_AT = 0xb000_0000n;

/** The guest-physical addresses that the layout needs to know. */
export interface LayoutFrames {
  /** Two frames; the marker starts at the end of the second one's page and goes on in the first. */
  marker: [bigint, bigint];
  /** One frame for each vCPU. */
  ofVcpu: bigint[];
}

/** Maps everything that one vCPU has. vCPU 0's upper half is shared with the others, if given. */
export function layOut(
  builder: PageTableBuilder,
  vcpu: number,
  frames: LayoutFrames,
  first?: PageTableBuilder,
): void {
  mapBootCode(builder);
  const own = frames.ofVcpu[vcpu]!;
  builder.map(MARKER_VA, frames.marker[1], "4K", ALLOWED)
    .map(MARKER_VA + 0x1000n, frames.marker[0], "4K", ALLOWED)
    .map(SHARED_VA, own, "4K", { user: true })
    .map(PRIVATE_VA + BigInt(vcpu) * 0x1000n, own, "4K", { writable: true });
  if (first) return shareUpperHalf(builder, first);
  const pages = new Pages(builder);
  for (const va of EDGES[builder.mode]) pages.mapAt(va, "4K", { writable: true });
  for (const start of HALVES[builder.mode]) fillHalf(builder, pages, start);
}

/**
 * Makes entries that no CPU would follow, and returns an address that leads to each: a table where
 * there is no RAM, then reserved bits in a large page, in a small page, and in the top entry.
 */
export function layOutBroken(builder: PageTableBuilder): bigint[] {
  const { levels, entryBytes } = FORMATS[builder.mode];
  const [top] = levels;
  const wide = entryBytes === 8;
  const span = 1n << levels.at(-2)!.shift;
  const noRam = wide ? 0xf0_0000_0000n : 0xe000_0000n;
  builder.change(BROKEN_AT, 2, () => noRam | 0x27n);
  // Bit 13 of a 2 MiB page, bit 21 of a 4 MiB page: below the frame's address, above PAT and PSE-36.
  builder.change(BROKEN_AT + span, 2, () => 0xa7n | (wide ? 1n << 13n : 1n << 21n));
  const broken = [BROKEN_AT, BROKEN_AT + span];
  // Bit 51 lies between MAXPHYADDR and the bits that software may use.
  if (wide) {
    broken.push(BROKEN_AT + 2n * span);
    builder.change(BROKEN_AT + 2n * span, 1, () => (1n << 51n) | 0x1067n);
  }
  // PS in a PML4E or PML5E. A PAE root is left alone: CR3 could not even be loaded (SDM 4.4.1).
  if (top!.level > 3) {
    broken.push(1n << top!.shift);
    builder.change(1n << top!.shift, top!.level, () => 0x10a7n);
  }
  return broken;
}

function mapBootCode(builder: PageTableBuilder): void {
  builder.map(CODE_PAGE, CODE_PAGE, "4K", { accessed: true });
  // The CPU sets A on the way to the code it runs; set beforehand, no table ever changes.
  for (const { level, hasRights } of FORMATS[builder.mode].levels) {
    if (hasRights) builder.setRights(CODE_PAGE, level, { accessed: true });
  }
}

function fillHalf(builder: PageTableBuilder, pages: Pages, start: bigint): void {
  const { levels } = FORMATS[builder.mode];
  const sizes = levels.flatMap(({ page }) => page ?? []);
  const isLong = builder.mode === "4-level" || builder.mode === "5-level";
  pages.next = start;
  for (const size of sizes) {
    for (const rights of combinations(builder.mode)) pages.map(size, rights);
    for (const attributes of ATTRIBUTES) pages.map(size, attributes);
    // Every key on small pages; on large ones each bit of the key once.
    const keys = size === "4K" ? Array.from({ length: 16 }, (_, key) => key) : [1, 2, 4, 8];
    if (isLong) { for (const protectionKey of keys) pages.map(size, { protectionKey }); }
  }
  const swapped = pages.skip("4K");
  builder.change(swapped, 1, () => 0x00ab_cdeen << 8n); // not present, but not empty either
  for (const upper of levels.filter(({ hasRights, level }) => hasRights && level > 1)) {
    for (const denied of DENIED) {
      if (denied.noExecute && builder.mode === "32-bit") continue;
      mapUnder(builder, pages, upper, denied);
    }
  }
}

/** Maps a page of each size that fits under one entry, and denies a right in that entry only. */
function mapUnder(
  builder: PageTableBuilder,
  pages: Pages,
  upper: LevelFormat,
  denied: EntryRights,
): void {
  const va = pages.alignTo(1n << upper.shift);
  for (const { level, page } of FORMATS[builder.mode].levels) {
    if (page && level < upper.level) pages.map(page, ALLOWED);
  }
  builder.setRights(va, upper.level, denied);
  pages.alignTo(1n << upper.shift);
}

/** Every combination of the mode's rights. */
function combinations(mode: PageTableMode): EntryRights[] {
  const noExecutes = mode === "32-bit" ? [false] : [false, true];
  return [false, true].flatMap((user) =>
    [false, true].flatMap((writable) =>
      noExecutes.map((noExecute) => ({ user, writable, noExecute }))
    )
  );
}

/** As a kernel does: the top table's upper entries point to the first root's tables. */
function shareUpperHalf(builder: PageTableBuilder, first: PageTableBuilder): void {
  const top = FORMATS[builder.mode].levels[0]!;
  const { linearBits } = FORMATS[builder.mode];
  for (let index = top.entries / 2; index < top.entries; index++) {
    const linear = BigInt(index) << top.shift;
    const va = linearBits === 32 ? linear : BigInt.asUintN(64, BigInt.asIntN(linearBits, linear));
    const entry = first.entry(va, top.level);
    if (entry !== 0n) builder.change(va, top.level, () => entry);
  }
}

/** Maps one page after the other, each to a frame that no other page has. */
class Pages {
  /** The first virtual address that may be used next. */
  next = 0n;
  readonly #builder: PageTableBuilder;
  #count = 0n;

  constructor(builder: PageTableBuilder) {
    this.#builder = builder;
  }

  map(size: PageSize, rights: EntryRights): void {
    this.mapAt(this.skip(size), size, rights);
  }

  mapAt(va: bigint, size: PageSize, rights: EntryRights): void {
    this.#builder.map(va, this.#frame(size), size, rights);
  }

  skip(size: PageSize): bigint {
    const va = this.alignTo(PAGE_BYTES[size]);
    this.next = va + PAGE_BYTES[size];
    return va;
  }

  alignTo(span: bigint): bigint {
    this.next = (this.next + span - 1n) & ~(span - 1n);
    return this.next;
  }

  /** Frames need not be RAM: only the boot code and the marker are ever touched. */
  #frame(size: PageSize): bigint {
    const n = ++this.#count;
    const bytes = PAGE_BYTES[size];
    // PSE-36: every other 4 MiB frame lies above 4 GiB, with each of the eight bits in use.
    if (size === "4M") return n % 2n ? n * bytes : (((n * 37n) & 0xffn) << 32n) | (n * bytes);
    // Small frames in the 32-bit range for the mode that has no more; others up to 2^40.
    if (this.#builder.mode === "32-bit") return 0x1234_5000n + n * 0x10_1000n;
    const spread = (n * 0x9e_3779_b97fn) & 0xff_ffff_ffffn;
    return spread & ~(bytes - 1n);
  }
}
