import { formatAddress } from "../core/address.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { listTables } from "../translate/listing.ts";
import { walk } from "../translate/walk.ts";
import type { ListedPage } from "../translate/listing_records.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
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
  readonly context: Regime;
  /** The virtual address of `_text`: where the first executable run begins. */
  readonly text: bigint;
  /** The first executable run's end. */
  readonly textEnd: bigint;
  /** The read-only data: the largest run that is neither written nor executed. */
  readonly rodata: ImageRun;
  /** Every run in address order. */
  readonly runs: readonly ImageRun[];
}

const TWO_MIB = 0x20_0000n;
/** A user root under KPTI maps only the entry code: far less than this. */
const LEAST_IMAGE_BYTES = 8n << 20n;

/** The paging contexts of the vCPUs as they are when it is called. */
export type ContextsNow = () => Promise<readonly Regime[]>;

/** How often the vCPUs' roots are read at the most. */
const ATTEMPTS = 8;

/**
 * Finds the kernel's image from the paging contexts of the vCPUs: any one will do. A root may be the
 * user half of a KPTI pair, which lacks the image: then the other half is tried. Which half a root is
 * is never just taken from its number, since without KPTI that is an ordinary address bit.
 *
 * @throws {LinuxNotFoundError} if no root maps a kernel's image
 */
export async function findKernelImage(
  memory: PhysicalMemory,
  contexts: ContextsNow,
  options: ReadOptions = {},
): Promise<KernelImage> {
  let last: readonly Regime[] = [];
  const found = await inTablesNow(contexts, async (now) => {
    last = now;
    for (const context of candidates(now)) {
      const image = imageFrom(context, await imageRuns(memory, context, options));
      if (image) return image;
    }
    return null;
  });
  if (found) return found;
  const roots = new Set(last.filter(mayBeKernel).map(({ root }) => formatAddress(root)));
  if (roots.size === 0) {
    throw new LinuxNotFoundError(
      "No vCPU uses page tables in which a Linux kernel can be found: it takes a 64-bit kernel that " +
        `has started (paging now: ${last.map(({ mode }) => mode).join(", ") || "none"})`,
    );
  }
  throw new LinuxNotFoundError(
    `None of the roots ${
      [...roots].join(", ")
    } maps a Linux kernel: the guest runs something else, ` +
      "is still booting, or its memory is encrypted",
  );
}

/** Does one of the vCPUs' page tables, or the other half of a KPTI pair, map an image where it was? */
export async function mapsImage(
  memory: PhysicalMemory,
  contexts: ContextsNow,
  { rodata }: KernelImage,
  options: ReadOptions = {},
): Promise<boolean> {
  const found = await inTablesNow(contexts, async (now) => {
    for (const context of candidates(now)) {
      // Read-only data: of code, user tables have some, too.
      const walked = await walk(memory, context, rodata.start, { ...options, recheck: false });
      if (walked.outcome === "mapped" && walked.physicalAddress === rodata.physical) return true;
    }
    return null;
  });
  return found ?? false;
}

/**
 * Looks for something in the vCPUs' tables. A process may exit, and its tables be reused, after a vCPU's root
 * was read: so the roots are read again until they are the same twice.
 */
async function inTablesNow<T>(
  contexts: ContextsNow,
  look: (now: readonly Regime[]) => Promise<T | null>,
): Promise<T | null> {
  let before = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = await contexts();
    const found = await look(now);
    if (found !== null) return found;
    const told = now.map(({ mode, root }) => `${mode} ${root}`).join();
    if (told === before) return null;
    before = told;
  }
  return null;
}

function mayBeKernel({ rules, root }: Regime): boolean {
  return rules.kernel.image !== undefined && root !== 0n;
}

/** The contexts in which a kernel may be mapped: all vCPUs', then the other halves of KPTI pairs. */
function candidates(contexts: readonly Regime[]): Regime[] {
  const own = contexts.filter(mayBeKernel);
  const partners = own.flatMap((context) => {
    const { views } = context.rules;
    return views ? [withRoot(context, views.partnerOf(context.root))] : [];
  });
  const roots = [...own, ...partners].map(({ root }) => root);
  return [...own, ...partners].filter(({ root }, i) => roots.indexOf(root) === i);
}

/** The image that runs make up, or null if they are not a kernel's. */
function imageFrom(context: Regime, runs: readonly ImageRun[]): KernelImage | null {
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

/** The runs in the window where the kernel's image lies; none if a table on the way is not there. */
async function imageRuns(
  memory: PhysicalMemory,
  context: Regime,
  options: ReadOptions,
): Promise<ImageRun[]> {
  const { image } = context.rules.kernel;
  if (!image) return [];
  const runs: ImageRun[] = [];
  const listing = listTables(memory, context, image, options);
  for await (const batch of listing) {
    for (const record of batch) if (record.kind === "page") extend(runs, record);
  }
  return runs;
}

/** Adds a page to the last run if it continues it, else begins another. */
function extend(runs: ImageRun[], page: ListedPage): void {
  const { address: start, physicalAddress: physical, effective } = page;
  const { writable, executable } = effective;
  const end = start + BigInt(page.lengthBytes);
  const last = runs.at(-1);
  if (
    last && last.end === start && last.writable === writable && last.executable === executable &&
    last.physical + (last.end - last.start) === physical
  ) {
    runs[runs.length - 1] = { ...last, end };
  } else {
    runs.push({ start, end, physical, writable, executable });
  }
}
