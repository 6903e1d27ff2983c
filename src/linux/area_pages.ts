import { CachingMemory } from "../memory/caching_memory.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { mappings } from "../translate/mappings.ts";
import type { Regime } from "../translate/regime.ts";
import type { MemoryArea } from "./memory_area.ts";

/** What the page tables say about a memory area. All fields but the last count bytes. */
export interface AreaPages {
  /** Mapped, by the size of the pages. */
  readonly mappedBytes: ReadonlyMap<number, number>;
  /** Not mapped, and nothing kept: never touched, or given back. */
  readonly untouchedBytes: number;
  /** Swapped out, or being moved. */
  readonly swappedBytes: number;
  /** `PROT_NONE`: has a frame, but no access is allowed. */
  readonly protNoneBytes: number;
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
  let [swappedBytes, protNoneBytes, supervisorBytes, readOnlyBytes] = [0, 0, 0, 0];
  let [tooWritableBytes, unknownBytes, seen] = [0, 0, 0];
  const mayWrite = permissions[1] === "w";
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
      if (!record.effective.user) supervisorBytes += bytes;
      if (mayWrite && !record.effective.writable) readOnlyBytes += bytes;
      if (!mayWrite && record.effective.writable) tooWritableBytes += bytes;
    } else if (record.kind === "notPresent" && record.content.kind === "swap") {
      swappedBytes += bytes;
    } else if (record.kind === "notPresent" && record.content.kind === "protNone") {
      protNoneBytes += bytes;
    } else {
      unknownBytes += bytes;
    }
  }
  const untouchedBytes = Math.max(0, range.lengthBytes - seen);
  return {
    mappedBytes,
    untouchedBytes,
    swappedBytes,
    protNoneBytes,
    supervisorBytes,
    readOnlyBytes,
    tooWritableBytes,
    unknownBytes,
  };
}
