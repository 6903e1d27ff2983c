/** The bits of CR0 that decide how paging works (Intel SDM vol. 3, 2.5). */
export const CR0 = {
  /** Protected mode is on. */
  PE: 1n << 0n,
  /** Supervisor writes honour read-only pages. */
  WP: 1n << 16n,
  /** Paging is on. */
  PG: 1n << 31n,
} as const;

/** The bits of CR4 that decide how paging works (Intel SDM vol. 3, 2.5). */
export const CR4 = {
  /** 4 MiB pages in 32-bit paging. */
  PSE: 1n << 4n,
  /** 8-byte entries: PAE, 4-level and 5-level paging. */
  PAE: 1n << 5n,
  /** Global pages. */
  PGE: 1n << 7n,
  /** 57-bit linear addresses: 5-level paging. */
  LA57: 1n << 12n,
  /** VMX is on: the guest may run guests of its own (Intel SDM vol. 3, 23.7). */
  VMXE: 1n << 13n,
  /** CR3 carries a process-context identifier. */
  PCIDE: 1n << 17n,
  /** The supervisor may not fetch from user pages. */
  SMEP: 1n << 20n,
  /** The supervisor may not touch user pages unless RFLAGS.AC is set. */
  SMAP: 1n << 21n,
  /** Protection keys for user pages. */
  PKE: 1n << 22n,
  /** Protection keys for supervisor pages. */
  PKS: 1n << 24n,
} as const;

/** The bits of the IA32_EFER register that decide how paging works (Intel SDM vol. 3, 2.2.1). */
export const EFER = {
  /** Long mode is active: 4-level or 5-level paging. */
  LMA: 1n << 10n,
  /** SVM is on: the guest may run guests of its own (AMD APM vol. 2, 3.1.7). */
  SVME: 1n << 12n,
  /** Entries have an execute-disable bit. */
  NXE: 1n << 11n,
} as const;
