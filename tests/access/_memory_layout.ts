/** Where the guest that performs accesses has what; access_guest.S knows the same numbers. */
import type { EntryRights } from "../../src/testing/expected_translation.ts";

/** CR4, CR3, EFER, CR0 to start with, and the number of cases: five words of 32 bits. */
export const PARAMETERS = 0x20_0000n;
/** The frame that every accessed page leads to; it holds a `ret`. */
export const TARGET = 0x40_0000n;
/** The page tables. */
export const TABLES_AT = 0x200_0000n;
/** The cases, 64 bytes each. */
export const CASES = 0x100_0000n;
/** RAM in bytes. */
export const RAM_BYTES = 64 << 20;

const KERNEL: EntryRights = { writable: true };

/** What the program itself is mapped with, one to one. */
export const PROGRAM: { start: bigint; end: bigint; rights: EntryRights }[] = [
  { start: 0x10_0000n, end: 0x11_0000n, rights: KERNEL },
  { start: 0x11_0000n, end: 0x11_1000n, rights: { user: true } },
  { start: 0x11_1000n, end: 0x11_2000n, rights: { user: true, writable: true } },
  { start: 0x12_0000n, end: 0x12_4000n, rights: KERNEL },
  { start: PARAMETERS, end: PARAMETERS + 0x1000n, rights: KERNEL },
  { start: CASES, end: TABLES_AT, rights: KERNEL },
];
