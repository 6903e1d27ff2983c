import type { DirectMap } from "../translate/kernel_layout.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { AddressSpace } from "../translate/address_space.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import type { ImageRun, KernelImage } from "./kernel_image.ts";
import type { Reader } from "./reader.ts";
import type { Vmcoreinfo } from "./vmcoreinfo.ts";

/** How a kernel's address space maps its own image and all of physical memory. */
export interface KernelLayout {
  /** The image, as found in the page tables. */
  readonly image: KernelImage;
  /** Where it maps all of physical memory, once that is known. */
  readonly directMap?: DirectMap;
}

/**
 * Reads by kernel virtual address. The image and the direct map are linear, so that most addresses
 * need no walk; the others are walked.
 */
export class KernelSpace implements Reader {
  readonly #memory: PhysicalMemory;
  readonly #runs: readonly ImageRun[];
  readonly #tables: AddressSpace;
  readonly #directMap: DirectMap | undefined;

  /** Creates the view; nothing is read yet. */
  constructor(memory: PhysicalMemory, layout: KernelLayout) {
    const { image, directMap } = layout;
    this.#memory = memory;
    this.#runs = image.runs;
    this.#tables = new AddressSpace(memory, image.context);
    this.#directMap = directMap;
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
    const direct = this.#directMap;
    return direct && address >= direct.start && end <= direct.end ? address - direct.base : null;
  }
}

/** Where all of physical memory is mapped, from a page that was allocated. */
export async function findDirectMap(
  memory: PhysicalMemory,
  image: KernelImage,
  { pointer, vmcoreinfo }: { pointer: bigint; vmcoreinfo: Vmcoreinfo },
): Promise<DirectMap | null> {
  const context = kernelContext(memory, image, vmcoreinfo);
  const physical = await new AddressSpace(memory, context).translate(pointer);
  if (physical === null) return null;
  return context.rules.kernel.directMap?.(pointer, physical, vmcoreinfo.numbers) ?? null;
}

/** The context with the root that the kernel booted with: it maps all of the kernel for ever. */
export function kernelContext(
  memory: PhysicalMemory,
  image: KernelImage,
  { symbols }: Vmcoreinfo,
): Regime {
  return withKernelRoot(
    memory,
    image,
    symbols.get("swapper_pg_dir") ?? symbols.get("init_top_pgt"),
  );
}

/** The same with its top table at an address of the image; the context as it is where that is unknown. */
export function withKernelRoot(
  memory: PhysicalMemory,
  image: KernelImage,
  root: bigint | undefined,
): Regime {
  const physical = root && new KernelSpace(memory, { image }).physicalOf(root);
  return physical ? withRoot(image.context, physical) : image.context;
}
