import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../../memory/physical_memory.ts";
import { DeviceList } from "../device_list.ts";
import type { IommuDevices } from "../iommu_device.ts";
import { readWords } from "../read_words.ts";
import { legacyContext } from "./legacy_context.ts";
import { scalableContext } from "./scalable_context.ts";

// Intel VT-d specification, 11.4.5 (RTADDR), 9.1 and 9.2 (root entries).
const ADDRESS = 0x000f_ffff_ffff_f000n;
const MODE_SHIFT = 10n;
const PRESENT = 1n;
const BUSES = 256;
const ROOT_WORDS = BUSES * 2;

/** One part of a context table: which devices it is for, and how it is read. */
interface ContextPart {
  readonly table: bigint;
  readonly firstDevice: number;
}

/**
 * Reads from VT-d's tables what becomes of which device's DMA.
 *
 * @param root the root table's register, RTADDR: the address and the mode
 */
export async function vtdDevices(
  memory: PhysicalMemory,
  root: bigint,
  options: ReadOptions = {},
): Promise<IommuDevices> {
  const list = new DeviceList();
  const mode = Number(root >> MODE_SHIFT & 3n);
  const table = root & ADDRESS;
  if (mode > 1) {
    list.problem(`the root table's mode (RTADDR.TTM) is ${mode}, which is reserved`);
    return list.result;
  }
  const entries = await readWords(memory, table, ROOT_WORDS, options);
  if (entries instanceof MemoryReadError) {
    list.unread("root table", table, entries);
    return list.result;
  }
  const isScalable = mode === 1;
  for (const { table, firstDevice } of contextParts(entries, isScalable)) {
    const words = await readWords(memory, table, 512, options);
    if (words instanceof MemoryReadError) {
      list.unread("context table", table, words);
      continue;
    }
    const wordsEach = isScalable ? 4 : 2;
    for (let i = 0; i < words.length / wordsEach; i++) {
      const entry = words.subarray(i * wordsEach, (i + 1) * wordsEach);
      if (!(entry[0]! & PRESENT)) continue;
      const what = isScalable
        ? await scalableContext(memory, entry, options)
        : legacyContext(entry[0]!, entry[1]!);
      if (!list.add(firstDevice + i, what)) return list.result;
    }
  }
  return list.result;
}

/** The context tables that root entries point to: one for each bus, or one for each half of its devices. */
function contextParts(entries: BigUint64Array, isScalable: boolean): ContextPart[] {
  const parts: ContextPart[] = [];
  for (let bus = 0; bus < BUSES; bus++) {
    for (let half = 0; half < (isScalable ? 2 : 1); half++) {
      const entry = entries[bus * 2 + half]!;
      if (!(entry & PRESENT)) continue;
      parts.push({ table: entry & ADDRESS, firstDevice: bus << 8 | half << 7 });
    }
  }
  return parts;
}
