import type { PagingContext } from "../cpu/paging_context.ts";
import type { KptiPair } from "../linux/kpti_pair.ts";
import { findKptiPairOfRoot } from "../linux/kpti_root.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { AddressRange } from "../paging/address_range.ts";
import { type Expectation, USER_CLEARED } from "../verify/expectation.ts";
import { verifyRange } from "../verify/range.ts";
import type { GuestRangeOptions, GuestRangeVerdict, Session } from "./session.ts";

/** The KPTI pair of a root and, if it is the kernel's, where execute rights are to be taken from. */
export async function kptiOf(
  memory: PhysicalMemory,
  context: PagingContext,
  { signal }: ReadOptions,
): Promise<{ kpti?: KptiPair; userRoot?: bigint }> {
  const kpti = await findKptiPairOfRoot(memory, context, signal ? { signal } : {});
  if (!kpti) return {};
  return { kpti, ...kpti.kernelRoot === context.root && { userRoot: kpti.userRoot } };
}

/** Judges every page of a range by the tables that the options choose. */
export async function verifyGuestRange(
  session: Session,
  range: Required<AddressRange>,
  expectation: Expectation = USER_CLEARED,
  options: GuestRangeOptions,
): Promise<GuestRangeVerdict> {
  const walkOptions = options.signal ? { signal: options.signal } : {};
  const { context, source } = await session.pageTable(options, range.start, walkOptions);
  const { kpti, userRoot } = await kptiOf(session.memory, context, options);
  const verdict = await verifyRange(session.memory, context, range, expectation, {
    ...options,
    ...userRoot !== undefined && { userRoot },
  });
  return { ...verdict, source, ...kpti && { kpti } };
}
