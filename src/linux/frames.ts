import { formatAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import { PageFaultError } from "../translate/address_space.ts";
import type { FrameLayout } from "./frame_layout.ts";
import { type Reader, viewOf } from "./reader.ts";

/** What a frame belongs to. */
export type FrameUse =
  /** Memory of programs that is no file's. */
  | "anonymous"
  /** The contents of a file. */
  | "file"
  /** Like memory of several programs, merged (KSM). */
  | "merged"
  /** A page table. */
  | "table"
  /** The kernel's small objects. */
  | "slab"
  /** The kernel keeps it from use, or never had it: the zero page is one. */
  | "reserved"
  /** Nobody's. */
  | "free"
  /** Otherwise the kernel's. */
  | "kernel";

/** A frame, as the kernel keeps it: its `struct page`, or that of the large page that it is part of. */
export interface FrameState {
  /** The guest-physical address of the frame. */
  readonly frame: bigint;
  /** The first frame of the large page that it is part of; itself, if it is a small one. */
  readonly head: bigint;
  /** What it belongs to. */
  readonly use: FrameUse;
  /** The flags that are set, such as `locked`. */
  readonly flags: readonly string[];
  /** How many references the kernel counts to it, or to the large page. */
  readonly references: number;
  /** How many page-table entries the kernel counts that map this very frame; null if it is no page of theirs, or a large one. */
  readonly mapCount: number | null;
  /**
   * Whether it is pinned for DMA. A small page counts as pinned if it has more than 1023 references, which is
   * how the kernel itself decides.
   */
  readonly pinned: boolean;
  /** The kernel's `mapping`, without the bits that say what it is: an `address_space`, an `anon_vma`. */
  readonly mapping: bigint;
}

/** GUP_PIN_COUNTING_BIAS (include/linux/mm.h). */
const PIN_BIAS = 1024;
/** PAGE_MAPCOUNT_RESERVE: below it, the count is no count but a type. */
const LEAST_COUNT = -128;
/** Types before 6.11, whose bit is clear (include/linux/page-flags.h). */
const OLD_TYPES: readonly (readonly [string, number])[] = [
  ["buddy", 0x80],
  ["offline", 0x100],
  ["table", 0x200],
  ["guard", 0x400],
];
/** Flags of `mapping` (include/linux/page-flags.h): anonymous, movable; both: KSM. */
const MAPPING_KINDS: readonly FrameUse[] = ["file", "anonymous", "kernel", "merged"];

/**
 * Reads what the kernel keeps of a frame.
 *
 * @throws {InvalidArgumentError} if it keeps nothing: there is no RAM, or a device's memory
 */
export async function readFrame(
  reader: Reader,
  layout: FrameLayout,
  physicalAddress: bigint,
  options: ReadOptions = {},
): Promise<FrameState> {
  const frame = physicalAddress & ~0xfffn;
  const { pageBytes, pinCount } = layout;
  const own = layout.first + (frame >> 12n) * BigInt(pageBytes);
  const page = viewOf(await readPage(reader, own, pageBytes, frame, options));
  const pointer = page.getBigUint64(layout.head.at, true);
  const isTail = (pointer & 1n) === 1n;
  const head = !isTail ? own : layout.head.isMask ? own & (pointer - 1n) : pointer - 1n;
  const first = isTail ? viewOf(await reader.read(head, pageBytes, options)) : page;
  const bits = first.getBigUint64(layout.flags, true);
  const set = layout.flagNames.filter(({ bit }) => bits >> BigInt(bit) & 1n);
  const flags = set.map(({ name }) => name);
  const references = first.getInt32(layout.references, true);
  const isLarge = isTail || flags.includes("head");
  // A large page has two `struct page` at least; its count of pins is in the second.
  const pins = isLarge && pinCount !== null
    ? viewOf(await reader.read(head + BigInt(pinCount), 4, options)).getInt32(0, true)
    : null;
  const mapping = first.getBigUint64(layout.mapping, true);
  const count = page.getInt32(layout.mapCount, true);
  const type = typeOf(layout, first.getInt32(layout.mapCount, true));
  const use = useOf(flags, references, type, mapping);
  return {
    frame,
    head: frame - (own - head) / BigInt(pageBytes) * 4096n,
    use,
    flags: use === "anonymous" ? set.map(({ anonymous }) => anonymous) : flags,
    references,
    // A large page is mapped as a whole too, which is counted elsewhere in each release.
    mapCount: isLarge || count < LEAST_COUNT ? null : count + 1,
    pinned: pins === null ? references >= PIN_BIAS : pins > 0,
    mapping: mapping & ~3n,
  };
}

async function readPage(
  reader: Reader,
  address: bigint,
  lengthBytes: number,
  frame: bigint,
  options: ReadOptions,
): Promise<Uint8Array> {
  try {
    return await reader.read(address, lengthBytes, options);
  } catch (cause) {
    if (!(cause instanceof PageFaultError) || cause.walk.outcome !== "notPresent") throw cause;
    throw new InvalidArgumentError(
      `The kernel has no frame at ${formatAddress(frame)}: there is no RAM, or a device's memory`,
      frame,
      { cause },
    );
  }
}

/** The type of what is no page of a program or a file; null if it is one. */
function typeOf({ typeNames }: FrameLayout, count: number): string | null {
  if (count >= LEAST_COUNT) return null;
  if (typeNames) return typeNames.find(([, value]) => value === count >>> 24)?.[0] ?? "kernel";
  return OLD_TYPES.find(([, bit]) => (~count & bit) !== 0)?.[0] ?? "kernel";
}

function useOf(
  flags: readonly string[],
  references: number,
  type: string | null,
  mapping: bigint,
): FrameUse {
  if (type === "buddy" || (references === 0 && type === null && !flags.includes("reserved"))) {
    return "free";
  }
  if (type === "table") return "table";
  if (flags.includes("slab") || type === "slab") return "slab";
  if (flags.includes("reserved")) return "reserved";
  if (type === "hugetlb") return mapping & 1n ? "anonymous" : "file";
  return type !== null || mapping === 0n ? "kernel" : MAPPING_KINDS[Number(mapping & 3n)]!;
}
