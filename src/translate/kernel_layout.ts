/** A part of the kernel's addresses. */
export interface KernelRegion {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last one. */
  readonly end: bigint;
  /** Whether pages of it may be writable in the view that user code runs on. */
  readonly writable: boolean;
}

/** A named part of the kernel's addresses, for people: it may move, and much of it may be empty. */
export interface KernelArea {
  /** What the kernel's documentation calls it. */
  readonly name: string;
  /** The first address: a number, a symbol's (`_text`), or what a variable holds (`*vmalloc_base`). */
  readonly start: bigint | string;
  /** The address after the last, told in the same way. */
  readonly end: bigint | string;
}

/** Where a kernel maps all of physical memory, linearly. */
export interface DirectMap {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last one. */
  readonly end: bigint;
  /** The virtual address of physical address 0, which may lie before the first one. */
  readonly base: bigint;
}

/** How Linux divides an architecture's address space. */
export interface KernelLayout {
  /** The first address of the kernel's part. */
  readonly start: bigint;
  /** Where the kernel's image lies: KASLR moves it within. */
  readonly image?: { readonly start: bigint; readonly lengthBytes: number };
  /**
   * The direct map by a page that was allocated in it, and by the numbers that the kernel tells crash
   * tools; null if that page lies elsewhere.
   */
  directMap?(
    virtual: bigint,
    physical: bigint,
    numbers: ReadonlyMap<string, bigint>,
  ): DirectMap | null;
  /** Where frame 0's `struct page` is, of kernels that do not tell it. */
  readonly frameTable?: bigint;
  /** Where the kernel keeps how many bits a physical address has, if it does: a byte of a variable. */
  readonly physicalBits?: {
    readonly variable: string;
    readonly struct: string;
    readonly member: string;
    /** The fewest and the most that there are. */
    readonly bounds: readonly [least: number, most: number];
  };
  /** A page that user mode may touch although it lies in the kernel's part. */
  readonly userPage?: { readonly name: string; readonly address: bigint };
  /** Where the kernel keeps what it needs to be entered; both views map it, and so may other places. */
  readonly entryArea?: KernelRegion;
  /** The kernel's parts by their names. */
  readonly areas?: readonly KernelArea[];
  /** The other parts that the view of user code holds. */
  readonly sharedWithUser: readonly KernelRegion[];
}
