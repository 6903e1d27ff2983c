import { CachingMemory } from "../memory/caching_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { NotPresentContent } from "../translate/entry.ts";
import { mappings } from "../translate/mappings.ts";
import type { Regime } from "../translate/regime.ts";
import type { MemoryArea } from "./memory_area.ts";

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
  /** Being moved, poisoned, or in a device's own memory: which of these the entry alone does not tell. */
  readonly specialBytes: number;
  /** Mapped, but not for user code: `_PAGE_USER` is cleared on some level. */
  readonly supervisorBytes: number;
  /** The area may be written, the pages may not: shared until the first write, or clean. */
  readonly readOnlyBytes: number;
  /** The pages may be written, the area may not. It should not be. */
  readonly tooWritableBytes: number;
  /** Nothing is known of it: a table could not be read, or is corrupt. */
  readonly unknownBytes: number;
}

/**
 * Sums up what a process's page tables say about each of its memory areas. Tables that several areas
 * share are read once.
 *
 * @throws whatever the memory throws but a `MemoryReadError`
 */
export async function* readAreaPages(
  memory: PhysicalMemory,
  context: Regime,
  areas: readonly MemoryArea[],
  options: ReadOptions = {},
): AsyncGenerator<AreaPages, void> {
  const cached = new CachingMemory(memory, { granuleBytes: 4096 });
  for (const area of areas) yield await pagesOf(cached, context, area, options);
}

async function pagesOf(
  memory: PhysicalMemory,
  context: Regime,
  { start, end, permissions }: MemoryArea,
  options: ReadOptions,
): Promise<AreaPages> {
  const mappedBytes = new Map<number, number>();
  const sums = {
    swappedBytes: 0,
    protNoneBytes: 0,
    numaHintingBytes: 0,
    guardBytes: 0,
    uffdWriteProtectedBytes: 0,
    poisonedBytes: 0,
    specialBytes: 0,
    supervisorBytes: 0,
    readOnlyBytes: 0,
    tooWritableBytes: 0,
    unknownBytes: 0,
  };
  let seen = 0;
  const mayWrite = permissions[1] === "w";
  const mayAccess = !permissions.startsWith("---");
  const range = { start, lengthBytes: Number(end - start) };
  for await (const record of mappings(memory, context, range, { ...options, notPresent: true })) {
    // A large page may reach past the area, and so may a table.
    const from = record.address > start ? record.address : start;
    const recordEnd = record.address + BigInt(record.lengthBytes);
    const bytes = Number((recordEnd < end ? recordEnd : end) - from);
    seen += bytes;
    if (record.kind === "mapping") {
      const size = record.pageSizeBytes;
      mappedBytes.set(size, (mappedBytes.get(size) ?? 0) + bytes);
      if (!record.effective.user) sums.supervisorBytes += bytes;
      if (mayWrite && !record.effective.writable) sums.readOnlyBytes += bytes;
      if (!mayWrite && record.effective.writable) sums.tooWritableBytes += bytes;
    } else if (record.kind === "notPresent") {
      sums[stateOf(record.content, mayAccess)] += bytes;
    } else {
      sums.unknownBytes += bytes;
    }
  }
  const untouchedBytes = Math.max(0, range.lengthBytes - seen);
  return { mappedBytes, untouchedBytes, ...sums };
}

/** Which sum an entry that is not present, and not empty, belongs to. */
function stateOf(
  content: NotPresentContent,
  mayAccess: boolean,
): Exclude<keyof AreaPages, "mappedBytes" | "untouchedBytes"> {
  switch (content.kind) {
    case "empty":
      return "unknownBytes";
    case "swap":
      return "swappedBytes";
    case "protNone":
      return mayAccess ? "numaHintingBytes" : "protNoneBytes";
    case "special":
      return "specialBytes";
    case "marker":
      // Several at once: the one that an access meets first.
      return content.markers.includes("poisoned")
        ? "poisonedBytes"
        : content.markers.includes("guard")
        ? "guardBytes"
        : "uffdWriteProtectedBytes";
  }
}
