import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { PageTableEntry } from "./entry.ts";

/** The two top tables of one address space, where the kernel keeps one for user code alone. */
export interface TableViews {
  /** The root while the kernel runs. It maps user pages too, but may forbid execution from them. */
  readonly kernelRoot: bigint;
  /** The root while user code runs: of the kernel it maps no more than the way in. */
  readonly userRoot: bigint;
}

/** How an architecture's kernels keep two views. */
export interface ViewsRule {
  /** The other view's root, if there are two. */
  partnerOf(root: bigint): bigint;
  /**
   * The top entry as user code sees it, from both views' entries; the first one if the second is not
   * its counterpart.
   */
  asUserSees(kernels: bigint, users: bigint): bigint;
  /** Finds the two views by one top entry; null if there is one view, or if the entry does not tell. */
  find(
    memory: PhysicalMemory,
    root: bigint,
    top: PageTableEntry,
    options?: ReadOptions,
  ): Promise<TableViews | null>;
}
