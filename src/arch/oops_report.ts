/** The tables that Linux names when it prints the entries of a fault, from the top. */
export const OOPS_TABLES = ["PGD", "P4D", "PUD", "PMD", "PTE"] as const;

/** One of {@linkcode OOPS_TABLES}. */
export type OopsTable = typeof OOPS_TABLES[number];

/** What kind of report it is. */
export type OopsKind =
  /** A page fault of the kernel's. */
  | "pageFault"
  /** A general protection fault, most often for an address that is not canonical. */
  | "generalProtection"
  /** A program that was ended for its page fault. */
  | "segfault"
  /** What KASAN, the kernel's checker of its own accesses, found. */
  | "kasan"
  /** Registers without a report of a fault. */
  | "registers";

/** What Linux printed of a fault, as far as it was there. */
export interface OopsReport {
  /** What kind of report. */
  readonly kind: OopsKind;
  /** The line that says what happened. */
  readonly headline: string;
  /** The address that was accessed; null if nothing tells. */
  readonly address: bigint | null;
  /** The access; null if nothing tells. */
  readonly access: OopsAccess | null;
  /** How many bytes were accessed, where KASAN tells. */
  readonly lengthBytes?: number;
  /** The entries as they were, from the top; the last that was printed ended the walk. */
  readonly entries: readonly OopsEntry[];
  /** Registers that were printed, and numbers like them (`pgdp`, `VA_BITS`). */
  readonly registers: Readonly<Record<string, bigint>>;
  /** Where the instruction was: `bad_read+0x10/0x20 [oopsmod]`, or an address. */
  readonly at: string | null;
  /** The process that ran, if the report names it. */
  readonly pid: number | null;
  /** Its name. */
  readonly comm: string | null;
}

/** An entry as Linux printed it. */
export interface OopsEntry {
  /** The table that holds it, by Linux's name. */
  readonly table: OopsTable;
  /** Null where the kernel could not read it: `BAD`. */
  readonly raw: bigint | null;
}

/** An access that faulted, as its error code or words tell it. */
export interface OopsAccess {
  /** The error code; null where only words tell. */
  readonly errorCode: bigint | null;
  /** What the architecture calls that code. @default {"error code"} */
  readonly codeName?: string;
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
