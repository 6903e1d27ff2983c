import type { PageTableEntry } from "../../translate/entry.ts";
import { PAGING_MODES } from "./modes.ts";
import type { PagingModeName } from "./paging_state.ts";

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
): string[] {
  const isWide = PAGING_MODES[mode].entryBytes === 8;
  // PAE's top entries have no XD: bit 63 is reserved there whatever EFER says.
  const executeDisable = isWide && hasRights ? EXECUTE_DISABLE : 0n;
  const beyond = isWide ? ABOVE_32 : PSE36;
  const causes: ReservedCause[] = [
    ...reservedBits & executeDisable ? ["executeDisable"] as const : [],
    ...reservedBits & beyond ? ["beyond"] as const : [],
    ...reservedBits & ~executeDisable & ~beyond ? ["format"] as const : [],
  ];
  return causes.map((cause) => TEXT[cause]);
}
