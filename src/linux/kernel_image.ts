import { formatAddress } from "../core/address.ts";
import { type PagingContext, withRoot } from "../arch/x86/paging_context.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { type LevelDecoder, levelDecoders } from "../arch/x86/entry.ts";
import { walk } from "../translate/walk.ts";
import { LinuxNotFoundError } from "./errors.ts";

/** A run of the kernel's image with like rights, in adjacent frames. */
export interface ImageRun {
  /** The first virtual address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** The guest-physical address of the first byte. */
  readonly physical: bigint;
  /** May it be written? */
  readonly writable: boolean;
  /** May it be executed? */
  readonly executable: boolean;
}

/** Where a Linux kernel's image is mapped, found from a vCPU's page tables alone. */
export interface KernelImage {
  /** The paging context with a root that maps the kernel. */
  readonly context: PagingContext;
  /** The virtual address of `_text`: where the first executable run begins. */
  readonly text: bigint;
  /** The first executable run's end. */
  readonly textEnd: bigint;
  /** The read-only data: the largest run that is neither written nor executed. */
  readonly rodata: ImageRun;
  /** Every run in address order. */
  readonly runs: readonly ImageRun[];
}

// Documentation/arch/x86/x86_64/mm.rst: the kernel's text mapping. KASLR moves the image in the
// first GiB; modules follow after that.
const WINDOW = 0xffff_ffff_8000_0000n;
const TWO_MIB = 0x20_0000n;
/** A user root under KPTI maps only the entry code: far less than this. */
const LEAST_IMAGE_BYTES = 8n << 20n;
const USER_HALF = 0x1000n;

const WRITABLE = 1n << 1n;
const EXECUTE_DISABLE = 1n << 63n;
const ACCESSED_AND_DIRTY = 0x60n;

/**
 * Finds the kernel's image from the paging contexts of the vCPUs: any one will do. A root may be the
 * user half of a KPTI pair, which lacks the image: then the other half is tried. Bit 12 is never just
 * masked off, since without KPTI it is an ordinary address bit.
 *
 * @throws {LinuxNotFoundError} if no root maps a kernel's image
 */
export async function findKernelImage(
  memory: PhysicalMemory,
  contexts: readonly PagingContext[],
  options: ReadOptions = {},
): Promise<KernelImage> {
  const long = contexts.filter(({ mode, root }) => mode.endsWith("-level") && root !== 0n);
  if (long.length === 0) {
    throw new LinuxNotFoundError(
      "No vCPU runs in 4-level or 5-level paging: a Linux kernel is found on x86-64 guests only, " +
        `and after it has started (paging now: ${
          contexts.map(({ mode }) => mode).join(", ") || "none"
        })`,
    );
  }
  const roots = new Set(long.map(({ root }) => root));
  for (const root of new Set([...roots, ...[...roots].map((root) => root ^ USER_HALF)])) {
    const context = withRoot(long[0]!, root);
    const image = imageFrom(context, await imageRuns(memory, context, options));
    if (image) return image;
  }
  throw new LinuxNotFoundError(
    `None of the roots ${[...roots].map((root) => formatAddress(root)).join(", ")} maps a Linux ` +
      "kernel: the guest runs something else, is still booting, or its memory is encrypted",
  );
}

/** Does one of the vCPUs' page tables, or the other half of a KPTI pair, map an image where it was? */
export async function mapsImage(
  memory: PhysicalMemory,
  contexts: readonly PagingContext[],
  { rodata }: KernelImage,
  options: ReadOptions = {},
): Promise<boolean> {
  const long = contexts.filter(({ mode, root }) => mode.endsWith("-level") && root !== 0n);
  for (const half of [0n, USER_HALF]) {
    for (const context of new Map(long.map((each) => [each.root, each])).values()) {
      const tables = withRoot(context, context.root ^ half);
      // Read-only data: of code, user tables have some, too.
      const found = await walk(memory, tables, rodata.start, { ...options, recheck: false });
      if (found.outcome === "mapped" && found.physicalAddress === rodata.physical) return true;
    }
  }
  return false;
}

/** The image that runs make up, or null if they are no kernel's. */
function imageFrom(context: PagingContext, runs: readonly ImageRun[]): KernelImage | null {
  const mapped = runs.reduce((sum, run) => sum + (run.end - run.start), 0n);
  if (mapped < LEAST_IMAGE_BYTES) return null;
  const text = runs.find(({ executable, start, end }) => executable && end - start >= TWO_MIB);
  if (!text) return null;
  // Before mark_rodata_ro() all of the image is writable: then any run may hold read-only data.
  const constant = runs.filter(({ writable, executable }) => !writable && !executable);
  const rodata = largest(constant.length > 0 ? constant : runs);
  return { context, text: text.start, textEnd: text.end, rodata, runs };
}

function largest(runs: readonly ImageRun[]): ImageRun {
  return runs.reduce((best, run) => run.end - run.start > best.end - best.start ? run : best);
}

/** The runs in the GiB where the kernel's image lies; none if a table on the way is not there. */
async function imageRuns(
  memory: PhysicalMemory,
  context: PagingContext,
  options: ReadOptions,
): Promise<ImageRun[]> {
  const top = await walk(memory, context, WINDOW, { ...options, recheck: false });
  // The step at level 3 is the entry for this GiB; what follows belongs to its first 2 MiB.
  const gib = top.steps.find(({ level }) => level === 3);
  if (gib?.kind !== "table" || gib.reservedBits) return [];
  const decoders = levelDecoders(context);
  const large = decoders.find(({ format }) => format.level === 2)!;
  const small = decoders.find(({ format }) => format.level === 1)!;

  const runs: ImageRun[] = [];
  const entries = await readTable(memory, gib.frame, options) ?? new BigUint64Array(0);
  for (const [i, raw] of entries.entries()) {
    const start = WINDOW + BigInt(i) * TWO_MIB;
    const kind = large.kindOf(raw);
    if (kind === "page") {
      extend(runs, large, raw, start, TWO_MIB);
    } else if (kind === "table") {
      const table = await readTable(memory, large.decode(raw, 0n, i).frame, options);
      table?.forEach((leaf, j) => {
        if (small.kindOf(leaf) !== "page") return;
        const limited = (leaf & ~(~raw & WRITABLE)) | raw & EXECUTE_DISABLE;
        extend(runs, small, limited, start + BigInt(j) * 0x1000n, 0x1000n);
      });
    }
  }
  return runs;
}

/** Adds a page to the last run if it continues it, else begins another. */
function extend(
  runs: ImageRun[],
  decoder: LevelDecoder,
  raw: bigint,
  start: bigint,
  size: bigint,
): void {
  const physical = decoder.decode(raw & ~ACCESSED_AND_DIRTY, 0n, 0).frame;
  const writable = Boolean(raw & WRITABLE);
  const executable = !(raw & EXECUTE_DISABLE);
  const last = runs.at(-1);
  if (
    last && last.end === start && last.writable === writable && last.executable === executable &&
    last.physical + (last.end - last.start) === physical
  ) {
    runs[runs.length - 1] = { ...last, end: start + size };
  } else {
    runs.push({ start, end: start + size, physical, writable, executable });
  }
}

async function readTable(
  memory: PhysicalMemory,
  address: bigint,
  options: ReadOptions,
): Promise<BigUint64Array | null> {
  try {
    // Copied, since 64-bit arrays must start at a multiple of 8.
    return new BigUint64Array((await memory.read(address, 4096, options)).slice().buffer);
  } catch (error) {
    if (error instanceof MemoryReadError) return null;
    throw error;
  }
}
