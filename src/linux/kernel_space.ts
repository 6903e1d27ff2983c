import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { AddressSpace } from "../translate/address_space.ts";
import type { ImageRun, KernelImage } from "./kernel_image.ts";
import type { Reader } from "./reader.ts";

/** How a kernel's address space maps its own image and all of physical memory. */
export interface KernelLayout {
  /** The image, as found in the page tables. */
  readonly image: KernelImage;
  /** The virtual address of physical address 0 (`page_offset_base`), once it is known. */
  readonly directMap?: bigint;
}

// The direct map is 64 TiB with 4 levels and 32 PiB with 5 (Documentation/arch/x86/x86_64/mm.rst).
const DIRECT_MAP_BYTES = { "4-level": 1n << 46n, "5-level": 1n << 55n } as const;

/**
 * Reads by kernel virtual address. The image and the direct map are linear, so that most addresses
 * need no walk; the others are walked.
 */
export class KernelSpace implements Reader {
  readonly #memory: PhysicalMemory;
  readonly #runs: readonly ImageRun[];
  readonly #tables: AddressSpace;
  readonly #directMap: bigint | null;
  readonly #directMapEnd: bigint;

  /** Creates the view; nothing is read yet. */
  constructor(memory: PhysicalMemory, layout: KernelLayout) {
    const { image, directMap } = layout;
    this.#memory = memory;
    this.#runs = image.runs;
    this.#tables = new AddressSpace(memory, image.context);
    this.#directMap = directMap ?? null;
    const size = DIRECT_MAP_BYTES[image.context.mode === "5-level" ? "5-level" : "4-level"];
    this.#directMapEnd = directMap === undefined ? 0n : directMap + size;
  }

  read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const physical = this.physicalOf(address, lengthBytes);
    return physical === null
      ? this.#tables.read(address, lengthBytes, options)
      : this.#memory.read(physical, lengthBytes, options);
  }

  /** The physical address of a linear range, or null if it takes a walk to know. */
  physicalOf(address: bigint, lengthBytes = 1): bigint | null {
    const end = address + BigInt(lengthBytes);
    for (const run of this.#runs) {
      if (address >= run.start && end <= run.end) return run.physical + (address - run.start);
    }
    const base = this.#directMap;
    return base !== null && address >= base && end <= this.#directMapEnd ? address - base : null;
  }
}
