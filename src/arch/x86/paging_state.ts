/** The paging modes of x86 (Intel SDM vol. 3, 4.1.1). */
export type PagingModeName = "none" | "32-bit" | "pae" | "4-level" | "5-level";

/** Everything besides the tables themselves that decides what a linear address means, as plain data. */
export interface PagingState {
  /** Which tables there are, and how they are laid out. */
  readonly mode: PagingModeName;
  /** The guest-physical address of the top table; 0 where paging is off. */
  readonly root: bigint;
  /** CR4.PSE: 4 MiB pages exist in 32-bit paging. */
  readonly pageSizeExtension: boolean;
  /** EFER.NXE: bit 63 of an entry forbids fetches; where it is off, that bit is reserved. */
  readonly executeDisable: boolean;
  /** CR0.WP: supervisor writes honour read-only pages. */
  readonly writeProtect: boolean;
  /** CR4.SMEP: the supervisor may not fetch from user pages. */
  readonly smep: boolean;
  /** CR4.SMAP: the supervisor may not touch user pages unless RFLAGS.AC is set. */
  readonly smap: boolean;
  /** CR4.PKE: protection keys limit user pages. */
  readonly userKeys: boolean;
  /** CR4.PKS: protection keys limit supervisor pages. */
  readonly supervisorKeys: boolean;
  /** MAXPHYADDR, 32 to 52: address bits from here to bit 51 are reserved. */
  readonly physicalAddressBits: number;
  /** True if nobody told MAXPHYADDR: an entry whose high address bits are set may be one that faults. */
  readonly physicalAddressBitsAssumed?: true;
  /** The address bit that marks memory as private or shared in a confidential guest. */
  readonly confidentialBit?: ConfidentialBit;
}

/** The address bit of a confidential guest's entries that is not part of the frame. */
export interface ConfidentialBit {
  /** The bit's number, 0 being the lowest. Usually 47 or 51. */
  readonly bit: number;
  /** What the bit means when it is set: AMD SEV's C-bit is private, Intel TDX's is shared. */
  readonly whenSet: "private" | "shared";
}
