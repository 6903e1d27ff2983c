import type { PageTableEntry } from "./entry.ts";
import { PAGING_MODES } from "./modes.ts";
import type { PagingModeName } from "./paging_context.ts";

const EXECUTE_DISABLE = 1n << 63n;
/** Of the entries of 8 bytes, the address bits from 32 up; lower ones are reserved by the format alone. */
const ABOVE_32 = 0x000f_ffff_0000_0000n;
/** Bits 39:32 of a 4 MiB page's address stand in bits 20:13 of its entry (Intel SDM vol. 3, table 4-4). */
const PSE36 = 0xffn << 13n;

/** Why a bit that an entry sets is reserved. */
type ReservedCause = "executeDisable" | "beyond" | "format";

const TEXT: Readonly<Record<ReservedCause, string>> = {
  executeDisable: "reserved bit 63 (XD, which needs EFER.NXE=1)",
  beyond: "address bits at or above MAXPHYADDR",
  format: "bits that its format reserves",
};

/** Why the bits that an entry sets are reserved: entries with equal causes are alike. */
export function reservedCauses(
  { reservedBits, hasRights }: Pick<PageTableEntry, "reservedBits" | "hasRights">,
  mode: PagingModeName,
): ReservedCause[] {
  const isWide = PAGING_MODES[mode].entryBytes === 8;
  // PAE's top entries have no XD: bit 63 is reserved there whatever EFER says.
  const executeDisable = isWide && hasRights ? EXECUTE_DISABLE : 0n;
  const beyond = isWide ? ABOVE_32 : PSE36;
  return [
    ...reservedBits & executeDisable ? ["executeDisable"] as const : [],
    ...reservedBits & beyond ? ["beyond"] as const : [],
    ...reservedBits & ~executeDisable & ~beyond ? ["format"] as const : [],
  ];
}

/**
 * Says why the bits that an entry sets are reserved: EFER.NXE is off, they are address bits that the
 * processor does not have, or the format reserves them.
 *
 * @example Usage
 * ```ts
 * import { describeReservedBits, levelDecoders, pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * // EFER.NXE is off.
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0x501n });
 * const entry = levelDecoders(context)[3]!.decode(0x8000000000300007n, 0x1000n, 0);
 * assertEquals(
 *   describeReservedBits(entry, context.mode),
 *   "is present but sets reserved bit 63 (XD, which needs EFER.NXE=1)",
 * );
 * ```
 */
export function describeReservedBits(
  entry: Pick<PageTableEntry, "reservedBits" | "hasRights">,
  mode: PagingModeName,
): string {
  const causes = reservedCauses(entry, mode).map((cause) => TEXT[cause]);
  return `is present but sets ${causes.join(" and ")}`;
}
