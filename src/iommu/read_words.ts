import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";

/** Reads 64-bit words; a read that fails is returned, since it says something of the guest. */
export async function readWords(
  memory: PhysicalMemory,
  address: bigint,
  count: number,
  options: ReadOptions = {},
): Promise<BigUint64Array | MemoryReadError> {
  try {
    const bytes = await memory.read(address, count * 8, options);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return BigUint64Array.from({ length: count }, (_, i) => view.getBigUint64(i * 8, true));
  } catch (error) {
    if (error instanceof MemoryReadError) return error;
    throw error;
  }
}
