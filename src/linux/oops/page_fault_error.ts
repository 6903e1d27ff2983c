/** An access that faulted, as the error code of a page fault tells it (Intel SDM vol. 3, 4.7). */
export interface OopsAccess {
  /** The error code; null where only words tell. */
  readonly errorCode: bigint | null;
  /** A write. */
  readonly write: boolean;
  /** An instruction fetch. */
  readonly fetch: boolean;
  /** Made in user mode. */
  readonly user: boolean;
  /** True if every entry was present: a right was missing. Null where nothing tells. */
  readonly isProtection: boolean | null;
  /** An entry had reserved bits set. */
  readonly isReserved: boolean;
  /** A protection key forbade it. */
  readonly isProtectionKey: boolean;
}

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

/** An access of which only words tell: `Write of size 8`. */
export function accessOfWords(kind: string, user = false): OopsAccess {
  return {
    errorCode: null,
    write: /write/i.test(kind),
    fetch: /instruction|execute/i.test(kind),
    user,
    isProtection: null,
    isReserved: false,
    isProtectionKey: false,
  };
}
