import type { ReadOptions } from "../memory/physical_memory.ts";
import { MemoryReadError, type PhysicalMemory } from "../memory/physical_memory.ts";
import type { AddressRange } from "./address_range.ts";
import { extend, type Regime } from "./regime.ts";
import { tableIndex } from "./entry.ts";
import { TableReader } from "./table_reader.ts";

/**
 * Finds the parts of the kernel's range that a root does not share with the kernel's own: those whose top
 * entries differ. Linux gives each process a copy of its own top table, so that what it maps for itself
 * is below the same tables. All of the range if either cannot be read.
 *
 * @param kernelRoot the root that the other is compared with
 */
export async function ownKernelParts(
  memory: PhysicalMemory,
  regime: Regime,
  kernelRoot: bigint,
  options: ReadOptions = {},
): Promise<AddressRange[]> {
  const { rules: { kernel: { start } }, spans: [span], root } = regime;
  const decoder = span?.levels[0];
  if (!span || !decoder || root === kernelRoot) return [];
  const { format } = decoder;
  const first = tableIndex(BigInt.asUintN(span.addressBits, start), format);
  const last = 2 ** format.indexBits - 1;
  const reader = new TableReader(memory, span, options.signal);
  const [own, shared] = await Promise.all(
    [root, kernelRoot].map((table) => reader.read({ table, first, last })),
  );
  if (own instanceof MemoryReadError || shared instanceof MemoryReadError) return [{ start }];
  const parts: AddressRange[] = [];
  const lengthBytes = 2 ** format.shift;
  for (let i = 0; i <= last - first; i++) {
    if (own!.saysTheSame(i, shared!, i) || !own!.isPresent(i)) continue;
    parts.push({ start: extend(span, BigInt(first + i) << BigInt(format.shift)), lengthBytes });
  }
  return parts;
}

/** The user's part of an address space: all below the kernel's range. */
export function userPart({ rules: { kernel }, spans: [span] }: Regime): AddressRange {
  const top = BigInt.asUintN(span?.addressBits ?? 64, kernel.start);
  return { start: 0n, lengthBytes: Number(top) };
}
