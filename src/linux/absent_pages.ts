import type { NotPresentContent } from "../translate/entry.ts";
import type { AreaKernel } from "./area_pages.ts";
import type { Kernel } from "./kernel.ts";
import { SwapTypes } from "./swap_types.ts";

/** What entries mean to one kernel: looked up when the first one is met, and kept. */
export class AbsentPages implements AreaKernel {
  readonly #kernel: Kernel;
  #types: Promise<SwapTypes> | null = null;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async nameAbsent(content: NotPresentContent): Promise<NotPresentContent> {
    if (content.kind !== "special") return content;
    const kernel = this.#kernel;
    const types = this.#types ??= SwapTypes.of({
      release: kernel.vmcoreinfo.osRelease,
      address: (name) => kernel.address(name),
      symbolAt: (address) => kernel.symbolAt(address),
    });
    types.catch(() => this.#types = null);
    return (await types).named(content);
  }

  async hugeZeroFrame(): Promise<bigint | null> {
    const number = await this.#kernel.variable("huge_zero_pfn");
    return number === null ? null : number << 12n;
  }
}
