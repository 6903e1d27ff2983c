import type { PageTableEntry } from "./entry.ts";
import type { Regime } from "./regime.ts";

/**
 * Says why the bits that an entry sets are reserved: the processor has no such address bits, a feature is
 * off, or the format reserves them.
 *
 * @example Usage
 * ```ts
 * import { describeReservedBits, pagingContext } from "@pagewalk/pagewalk";
 * import { levelDecoders } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * // EFER.NXE is off.
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0x501n });
 * const entry = levelDecoders(context)[3]!.decode(0x8000000000300007n, 0x1000n, 0);
 * assertEquals(
 *   describeReservedBits(entry, context),
 *   "is present but sets reserved bit 63 (XD, which needs EFER.NXE=1)",
 * );
 * ```
 */
export function describeReservedBits(
  entry: Pick<PageTableEntry, "reservedBits" | "hasRights">,
  { rules }: Regime,
): string {
  return `is present but sets ${rules.reservedCauses(entry).join(" and ")}`;
}

/** Whether a frame lies so high that nobody told whether the processor has such addresses. */
export function mayBeBeyond({ assuredFrameBits }: Regime, frame: bigint): boolean {
  return assuredFrameBits !== undefined && frame >> BigInt(assuredFrameBits) !== 0n;
}

/** Why there is no verdict on a page that lies too high. */
export function describeMayBeBeyond({ rules: { frameLimitName } }: Regime, frame: bigint): string {
  return `the page's address 0x${
    frame.toString(16)
  } may be beyond ${frameLimitName}, so that every ` +
    `access faults, and ${frameLimitName} is not known: give it (phys-bits)`;
}
