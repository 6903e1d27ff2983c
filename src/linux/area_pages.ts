import { CachingMemory } from "../memory/caching_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { NotPresentContent, SpecialState } from "../translate/entry.ts";
import { listTables } from "../translate/listing.ts";
import type { ListedPage } from "../translate/listing_records.ts";
import type { Regime } from "../translate/regime.ts";
import type { MemoryArea } from "./memory_area.ts";
import { VM } from "./vm_flags.ts";

/** What the page tables say about a memory area. All fields but the last count bytes. */
export interface AreaPages {
  /** Mapped, by the size of the pages. */
  readonly mappedBytes: ReadonlyMap<number, number>;
  /** Not mapped, and nothing kept: never touched, or given back. */
  readonly untouchedBytes: number;
  /** Swapped out. */
  readonly swappedBytes: number;
  /** The area allows no access: has a frame all the same. */
  readonly protNoneBytes: number;
  /** The area allows access, and the next one is to be noticed, for NUMA balancing: has a frame. */
  readonly numaHintingBytes: number;
  /** Without a page, and not to be touched: a guard (MADV_GUARD_INSTALL). */
  readonly guardBytes: number;
  /** Without a page, and write-protected by userfaultfd once there is one. */
  readonly uffdWriteProtectedBytes: number;
  /** Without a page, since it was lost to an error. */
  readonly poisonedBytes: number;
  /** Being moved to another frame at this moment. */
  readonly migrationBytes: number;
  /** The memory controller reported the frame as poisoned. */
  readonly hwpoisonBytes: number;
  /** In a device's own memory, or lent to a device. */
  readonly deviceBytes: number;
  /** One of these three: which, this kernel does not tell. */
  readonly specialBytes: number;
  /**
   * What `smaps` counts as Rss: pages whose frame the kernel keeps count of, those of `PROT_NONE` and those
   * being moved too; not huge pages of hugetlbfs, a device's memory or the page of zeros.
   */
  readonly rssBytes: number;
  /** Mapped by entries that map more than one page, outside of hugetlbfs (`AnonHugePages` and its kind). */
  readonly hugeBytes: number;
  /** Mapped, but not for user code: `_PAGE_USER` is cleared on some level. */
  readonly supervisorBytes: number;
  /** The area may be written, the pages may not: shared until the first write, or clean. */
  readonly readOnlyBytes: number;
  /** The pages may be written, the area may not. It should not be. */
  readonly tooWritableBytes: number;
  /** Nothing is known of it: a table could not be read, or is corrupt. */
  readonly unknownBytes: number;
}

/** The sums, while they grow. */
export type AreaSums = { -readonly [K in Exclude<keyof AreaPages, "mappedBytes">]: number };

/** What of a kernel the sums depend on. */
export interface AreaKernel {
  /** Names what an entry that is not present means to it. */
  nameAbsent(content: NotPresentContent): Promise<NotPresentContent>;
  /** The frame of the huge page of zeros, which no process has for itself; null if there is none. */
  hugeZeroFrame(): Promise<bigint | null>;
}

const PAGE_BYTES = 4096;
/** Tables of one process: enough for 2 TiB by small pages. Its areas do not make it read more. */
const MAX_TABLES = 1 << 20;

/**
 * Sums up what a process's page tables say about each of its memory areas. Tables that several areas
 * share are read once. Tables without end are read up to a limit, for all areas together: what is behind
 * it is unknown.
 *
 * @throws whatever the memory throws but a `MemoryReadError`
 */
export async function* readAreaPages(
  memory: PhysicalMemory,
  context: Regime,
  areas: readonly MemoryArea[],
  kernel: AreaKernel,
  options: ReadOptions = {},
): AsyncGenerator<AreaPages, void> {
  const cached = new CachingMemory(memory, { granuleBytes: 4096 });
  let zeros: Promise<bigint | null> | null = null;
  const asked: AreaKernel = {
    nameAbsent: (content) => kernel.nameAbsent(content),
    hugeZeroFrame: () => zeros ??= kernel.hugeZeroFrame(),
  };
  let left = MAX_TABLES;
  for (const area of areas) {
    const sum = new AreaSum(area, context, asked);
    let visited = 0;
    const list = {
      ...options,
      notPresent: true,
      maxTables: Math.min(left, 131_072),
      onProgress: ({ tables }: { tables: number }) => visited = tables,
    };
    const range = { start: area.start, lengthBytes: Number(area.end - area.start) };
    for await (const batch of listTables(cached, context, range, list)) {
      for (const record of batch) {
        if (record.kind === "page") await sum.addPage(record);
        else if (record.kind === "notPresent") await sum.addAbsent(record, record.content);
        else if (record.kind !== "table") sum.add("unknownBytes", sum.within(record));
      }
    }
    // The way to an area takes a few, which lie in the cache.
    left = Math.max(1, left - Math.max(0, visited - 5));
    yield sum.result();
  }
}

/** A part of an address space. */
interface Part {
  readonly address: bigint;
  readonly lengthBytes: number;
}

/** Sums up one area. */
class AreaSum {
  readonly #area: MemoryArea;
  readonly #context: Regime;
  readonly #kernel: AreaKernel;
  readonly #mayWrite: boolean;
  readonly #mayAccess: boolean;
  readonly #mapped = new Map<number, number>();
  readonly #sums: AreaSums = {
    ...{ untouchedBytes: 0, swappedBytes: 0, protNoneBytes: 0, numaHintingBytes: 0 },
    ...{ guardBytes: 0, uffdWriteProtectedBytes: 0, poisonedBytes: 0, migrationBytes: 0 },
    ...{ hwpoisonBytes: 0, deviceBytes: 0, specialBytes: 0, rssBytes: 0, hugeBytes: 0 },
    ...{ supervisorBytes: 0, readOnlyBytes: 0, tooWritableBytes: 0, unknownBytes: 0 },
  };
  #seen = 0;

  constructor(area: MemoryArea, context: Regime, kernel: AreaKernel) {
    this.#area = area;
    this.#context = context;
    this.#kernel = kernel;
    this.#mayWrite = area.permissions[1] === "w";
    this.#mayAccess = !area.permissions.startsWith("---");
  }

  add(name: keyof AreaSums, bytes: number): void {
    this.#sums[name] += bytes;
  }

  /** How much of a part lies in the area: a large page may reach past it, and so may a table. */
  within({ address, lengthBytes }: Part): number {
    const { start, end } = this.#area;
    const from = address > start ? address : start;
    const to = address + BigInt(lengthBytes);
    const bytes = Number((to < end ? to : end) - from);
    this.#seen += bytes;
    return bytes;
  }

  async addPage(page: ListedPage): Promise<void> {
    const bytes = this.within(page);
    const size = page.pageSizeBytes ?? page.lengthBytes;
    this.#mapped.set(size, (this.#mapped.get(size) ?? 0) + bytes);
    if (!page.effective.user) this.add("supervisorBytes", bytes);
    if (this.#mayWrite && !page.effective.writable) this.add("readOnlyBytes", bytes);
    if (!this.#mayWrite && page.effective.writable) this.add("tooWritableBytes", bytes);
    if (this.#area.kind === "hugetlb" || await this.#isNobodys(page, size)) return;
    this.add("rssBytes", bytes);
    if (size > PAGE_BYTES) this.add("hugeBytes", bytes);
  }

  /** As vm_normal_page() and vm_normal_page_pmd() in mm/memory.c. */
  async #isNobodys({ entry, physicalAddress }: ListedPage, size: number): Promise<boolean> {
    if (this.#context.rules.isSpecial?.(entry.raw)) return true;
    if (size === PAGE_BYTES) return false;
    if (this.#area.flags & VM.PFNMAP) return true;
    return entry.flags.writable === false &&
      physicalAddress === await this.#kernel.hugeZeroFrame();
  }

  async addAbsent(part: Part, found: NotPresentContent): Promise<void> {
    const bytes = this.within(part);
    const content = found.kind === "special" ? await this.#kernel.nameAbsent(found) : found;
    this.add(this.#stateOf(content), bytes);
    // smaps takes these for pages that are there (pte_present(), is_pfn_swap_entry(); poisoned ones since
    // 6.1: 07a57a338adb "mm,swapops: update check in is_pfn_swap_entry for hwpoison entries").
    const states = content.kind === "special" ? content.states ?? [] : [];
    const hasFrame = content.kind === "protNone" ||
      (states.length > 0 && !states.includes("swapin-error"));
    if (!hasFrame || this.#area.kind === "hugetlb") return;
    this.add("rssBytes", bytes);
    if (part.lengthBytes > PAGE_BYTES) this.add("hugeBytes", bytes);
  }

  /** Which sum an entry that is not present, and not empty, belongs to. */
  #stateOf(content: NotPresentContent): keyof AreaSums {
    switch (content.kind) {
      case "empty":
        return "unknownBytes";
      case "swap":
        return "swappedBytes";
      case "protNone":
        return this.#mayAccess ? "numaHintingBytes" : "protNoneBytes";
      case "special":
        return specialSum(content.states ?? []);
      case "marker":
        // Several at once: the one that an access meets first.
        return content.markers.includes("poisoned")
          ? "poisonedBytes"
          : content.markers.includes("guard")
          ? "guardBytes"
          : "uffdWriteProtectedBytes";
    }
  }

  result(): AreaPages {
    const { start, end } = this.#area;
    const untouchedBytes = Math.max(0, Number(end - start) - this.#seen);
    return { ...this.#sums, mappedBytes: this.#mapped, untouchedBytes };
  }
}

const SPECIAL_SUMS: Readonly<Record<SpecialState, keyof AreaSums>> = {
  "hwpoison": "hwpoisonBytes",
  "migration": "migrationBytes",
  "device-private": "deviceBytes",
  "device-exclusive": "deviceBytes",
  "swapin-error": "poisonedBytes",
};

function specialSum(states: readonly SpecialState[]): keyof AreaSums {
  const [sum = "specialBytes", ...others] = new Set(states.map((state) => SPECIAL_SUMS[state]));
  return others.length > 0 ? "specialBytes" : sum;
}
