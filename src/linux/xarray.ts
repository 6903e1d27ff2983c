import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed } from "./changed.ts";
import { type Reader, viewOf } from "./reader.ts";

/**
 * `struct xa_node` (include/linux/xarray.h), which has not changed since 4.20; 64 slots unless the kernel
 * is built for the smallest of machines (CONFIG_BASE_SMALL).
 */
export const XA_NODE = { shift: 0, offset: 1, parent: 8, array: 16, slots: 40 } as const;
const SLOTS = 64;
/** Below this a marked pointer is not a node (xa_is_node): a slot that is reserved, or being changed. */
const FIRST_NODE = 4096n;
const MAX_SHIFT = 60;

/**
 * Reads the pointers that an xarray holds, in the order of their indexes, all nodes of one depth together. Each
 * node has to lead back to its parent and to the array, so that neither a loop nor a freed node goes
 * unnoticed. What is only reserved is left out.
 *
 * @param array the address of the `struct xarray`
 * @param head the value of its `xa_head`
 * @param most the most pointers that it may hold
 * @throws if it changes meanwhile, or is garbage: then `isChange` holds of the error
 */
export async function readXarray(
  reader: Reader,
  { array, head, most }: { readonly array: bigint; readonly head: bigint; readonly most: number },
  options: ReadOptions = {},
): Promise<bigint[]> {
  const values: { readonly index: bigint; readonly value: bigint }[] = [];
  let level = [{ entry: head, parent: 0n, index: 0n, above: MAX_SHIFT + 6, offset: 0 }];
  while (level.length > 0) {
    if (values.length + level.length > most) throw new Changed("the array has no end");
    const below: typeof level = [];
    await Promise.all(level.map(async ({ entry, parent, index, above, offset }) => {
      if ((entry & 3n) !== 2n) {
        // An odd one is a number.
        if (entry !== 0n && (entry & 1n) === 0n) values.push({ index, value: entry });
        return;
      }
      if (entry < FIRST_NODE) return;
      const node = entry - 2n;
      const view = viewOf(await reader.read(node, XA_NODE.slots + SLOTS * 8, options));
      const shift = view.getUint8(XA_NODE.shift);
      const isNode = view.getBigUint64(XA_NODE.array, true) === array &&
        view.getBigUint64(XA_NODE.parent, true) === parent && shift < above && shift % 6 === 0 &&
        (parent === 0n || view.getUint8(XA_NODE.offset) === offset && shift === above - 6);
      if (!isNode) throw new Changed("the array is changed");
      for (let slot = 0; slot < SLOTS; slot++) {
        const child = view.getBigUint64(XA_NODE.slots + slot * 8, true);
        if (child === 0n) continue;
        below.push({
          entry: child,
          parent: node,
          index: index + (BigInt(slot) << BigInt(shift)),
          above: shift,
          offset: slot,
        });
      }
    }));
    level = below;
  }
  return values.sort((a, b) => a.index < b.index ? -1 : 1).map(({ value }) => value);
}
