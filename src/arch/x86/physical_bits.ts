import type { PagingContext } from "./paging_context.ts";

/** Every processor with PAE has at least so many address bits (Intel SDM vol. 3, 4.1.4). */
const LEAST_BITS = 36n;

/** Whether a frame lies so high that it takes MAXPHYADDR to say if an access there faults. */
export function mayBeBeyond(
  { physicalAddressBitsAssumed }: Pick<PagingContext, "physicalAddressBitsAssumed">,
  frame: bigint,
): boolean {
  return physicalAddressBitsAssumed === true && frame >> LEAST_BITS !== 0n;
}

/** Why there is no verdict on a page that lies too high. */
export function describeMayBeBeyond(frame: bigint): string {
  return `the page's address 0x${
    frame.toString(16)
  } may be beyond MAXPHYADDR, so that every access ` +
    "faults, and MAXPHYADDR is not known: name it (phys-bits)";
}
