import type { PagingContextOptions } from "../arch/default_types.ts";
import type { GuestSource } from "../connectors/guest_source.ts";

/** What a {@linkcode Session} is made of. */
export interface SessionParts {
  /** The path of the ELF file of the guest's kernel. @default the guest runs Linux */
  readonly kernel?: string;
  /** A folder to keep what was learned about kernels in. @default nothing is kept */
  readonly kernelCacheDir?: string;
  /** The open connection to the guest; the session closes it. */
  readonly source: GuestSource;
  /** What the registers do not tell of the guest's paging. */
  readonly paging?: Omit<PagingContextOptions, "root">;
  /** The kind of page tables at a root that is named; then no registers are asked for. */
  readonly mode?: string;
  /** Whether the one register that points to an IOMMU's tables may be read. @default {true} */
  readonly mmio?: boolean;
}
