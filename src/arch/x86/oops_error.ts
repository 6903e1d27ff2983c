import type { OopsAccess } from "../oops_report.ts";

const BITS = { P: 1n, W: 2n, U: 4n, RSVD: 8n, I: 16n, PK: 32n } as const;

/** Decodes a page fault's error code. */
export function accessOfCode(errorCode: bigint): OopsAccess {
  const has = (bit: bigint) => (errorCode & bit) !== 0n;
  return {
    errorCode,
    write: has(BITS.W),
    fetch: has(BITS.I),
    user: has(BITS.U),
    isProtection: has(BITS.P),
    isReserved: has(BITS.RSVD),
    isProtectionKey: has(BITS.PK),
  };
}
