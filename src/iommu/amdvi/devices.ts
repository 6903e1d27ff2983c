import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../../memory/physical_memory.ts";
import { DeviceList } from "../device_list.ts";
import type { IommuDevice, IommuDevices } from "../iommu_device.ts";
import { readWords } from "../read_words.ts";
import { amdviRegime } from "./regime.ts";

// AMD I/O Virtualization Technology (IOMMU) Specification, 3.4.1 (device table base) and 2.2.2.
const ADDRESS = 0x000f_ffff_ffff_f000n;
const VALID = 1n;
const TRANSLATION_VALID = 2n;
const READ = 1n << 61n;
const WRITE = 1n << 62n;
const WORDS_EACH = 4;
/** So many entries that are not valid are told one by one. */
const MAX_OPEN = 64;
/** Words in 32 KiB: what one command of a monitor reads. */
const WORDS_AT_ONCE = 4096;
const BYTES_UNIT = 4096;

/**
 * Reads from AMD-Vi's device table what becomes of which device's DMA. Linux blocks all devices that do
 * not exist: devices that are blocked are left out.
 *
 * @param base the register of the device table's base: the address and the size
 */
export async function amdviDevices(
  memory: PhysicalMemory,
  base: bigint,
  options: ReadOptions = {},
): Promise<IommuDevices> {
  const list = new DeviceList();
  const table = base & ADDRESS;
  const words = (Number(base & 0x1ffn) + 1) * BYTES_UNIT / 8;
  const open: number[] = [];
  for (let from = 0; from < words; from += WORDS_AT_ONCE) {
    const count = Math.min(WORDS_AT_ONCE, words - from);
    const part = await readWords(memory, table + BigInt(from * 8), count, options);
    if (part instanceof MemoryReadError) {
      list.unread("device table", table + BigInt(from * 8), part);
      continue;
    }
    for (let i = 0; i < count; i += WORDS_EACH) {
      const entry = part.subarray(i, i + WORDS_EACH);
      if (!(entry[0]! & VALID)) {
        open.push((from + i) / WORDS_EACH);
        continue;
      }
      const what = deviceEntry(entry);
      if (what === null) continue;
      if (!list.add((from + i) / WORDS_EACH, what)) return list.result;
    }
  }
  // AMD I/O Virtualization Technology (IOMMU) Specification, 2.2.2: V=0 lets all DMA through.
  for (const requesterId of open.slice(0, MAX_OPEN)) {
    list.add(requesterId, {
      state: "passThrough",
      domain: null,
      reason: "its entry is not valid (V=0)",
    });
  }
  if (open.length > MAX_OPEN) {
    list.problem(
      `${
        open.length - MAX_OPEN
      } more entries of the device table are not valid (V=0): DMA of such ` +
        "devices is not translated",
    );
  }
  return list.result;
}

/** What a valid entry says of its device; null if it is blocked. */
function deviceEntry([low = 0n, second = 0n]: BigUint64Array):
  | Omit<
    IommuDevice,
    "device" | "requesterId"
  >
  | null {
  const domain = Number(second & 0xffffn);
  const rights = { readable: Boolean(low & READ), writable: Boolean(low & WRITE) };
  if (!(low & TRANSLATION_VALID)) {
    return { state: "blocked", domain, reason: "its entry has no translation (TV=0)" };
  }
  const levels = Number(low >> 9n & 7n);
  if (levels === 0) {
    if (!rights.readable && !rights.writable) return null;
    const only = rights.writable ? "only to write" : "only to read";
    const reason = rights.readable && rights.writable ? {} : { reason: only };
    return { state: "passThrough", domain, ...reason };
  }
  const regime = amdviRegime(low & ADDRESS, levels, rights);
  if (regime !== null) return { state: "translated", domain, regime };
  return { state: "blocked", domain, reason: `its entry's mode (${levels}) is reserved` };
}
