import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../../memory/physical_memory.ts";
import type { PageTableEntry } from "../../translate/entry.ts";
import type { Regime } from "../../translate/regime.ts";
import type { TableViews, ViewsRule } from "../../translate/views_rule.ts";
import type { Walk } from "../../translate/walk.ts";

// The pair is one 8 KiB block, the kernel's half first (arch/x86/include/asm/pgtable.h,
// kernel_to_user_pgdp).
const USER_HALF = 0x1000n;
const EXECUTE_DISABLE = 1n << 63n;

/**
 * Finds the KPTI pair that a walk's root belongs to, from the tables themselves: the kernel's copy of
 * a user entry is the user's copy with the no-execute bit set (arch/x86/mm/pti.c,
 * __pti_set_user_pgtbl). Returns null if there is no such pair, or if the address has no top entry
 * to tell by: a kernel address, or one that nothing near maps. PAE's top entries cannot tell either.
 *
 * @throws whatever the memory throws but a {@linkcode MemoryReadError}
 *
 * @example Usage
 * ```ts
 * import { findKptiPair, pagingContext, walk } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest({ kpti: true });
 * const context = pagingContext(guest.registers(0)); // in user mode: on the user's root
 * const found = await walk(guest.memory, context, 0x7f1234567000n);
 * const pair = await findKptiPair(guest.memory, context, found);
 * assertEquals(pair?.userRoot, pair!.kernelRoot + 0x1000n);
 * ```
 */
export async function findKptiPair(
  memory: PhysicalMemory,
  regime: Regime,
  walk: Walk,
  options: ReadOptions = {},
): Promise<TableViews | null> {
  const [top] = walk.steps;
  return top && await regime.rules.views?.find(memory, regime.root, top, options) || null;
}

async function findPair(
  memory: PhysicalMemory,
  root: bigint,
  top: PageTableEntry,
  options: ReadOptions = {},
): Promise<TableViews | null> {
  if (!top.flags.present || top.index >= 256) return null;
  const partner = root ^ USER_HALF;
  const isUserHalf = Boolean(root & USER_HALF);
  if (top.flags.executeDisable === isUserHalf) return null;
  let raw: bigint;
  try {
    const bytes = await memory.read(partner + BigInt(top.index * 8), 8, options);
    raw = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  } catch (error) {
    if (error instanceof MemoryReadError) return null;
    throw error;
  }
  if ((raw ^ top.raw) !== EXECUTE_DISABLE) return null;
  return isUserHalf
    ? { kernelRoot: partner, userRoot: root }
    : { kernelRoot: root, userRoot: partner };
}

/** The two views of kernel page-table isolation: the kernel's forbids execution of what is the user's. */
export const KPTI_VIEWS: ViewsRule = {
  partnerOf: (root) => root ^ USER_HALF,
  asUserSees: (kernels, users) => (kernels ^ users) === EXECUTE_DISABLE ? users : kernels,
  find: findPair,
};
