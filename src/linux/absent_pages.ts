import type { NotPresentContent } from "../translate/entry.ts";
import type { AreaKernel } from "./area_pages.ts";
import type { Kernel } from "./kernel.ts";
import { swapDevice } from "./swap_devices.ts";
import { SwapTypes } from "./swap_types.ts";

/** After swapoff and swapon another device may have the same type. */
const DEVICE_LASTS_MS = 1000;

type SwapContent = NotPresentContent & { readonly kind: "swap" };

/** What entries mean to one kernel: looked up when the first one is met, and kept. */
export class AbsentPages implements AreaKernel {
  readonly #kernel: Kernel;
  #types: Promise<SwapTypes> | null = null;
  readonly #devices = new Map<number, { readAt: number; name: Promise<string | null> }>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async nameAbsent(content: NotPresentContent): Promise<NotPresentContent> {
    if (content.kind === "swap") return await this.#withDevice(content);
    if (content.kind !== "special") return content;
    const kernel = this.#kernel;
    const types = this.#types ??= SwapTypes.of({
      release: kernel.vmcoreinfo.osRelease,
      address: (name) => kernel.address(name),
      symbolAt: (address) => kernel.symbolAt(address),
    });
    types.catch(() => this.#types = null);
    const named = (await types).named(content);
    return named.kind === "swap" ? await this.#withDevice(named) : named;
  }

  /** With the name of the swap device, which a listing of many entries does not look up for each. */
  async #withDevice(content: SwapContent): Promise<NotPresentContent> {
    const { type } = content;
    let device = this.#devices.get(type);
    if (device === undefined || performance.now() - device.readAt > DEVICE_LASTS_MS) {
      device = { readAt: performance.now(), name: swapDevice(this.#kernel, type) };
      this.#devices.set(type, device);
      device.name.catch(() => this.#devices.delete(type));
    }
    const name = await device.name;
    return name === null ? content : { ...content, device: name };
  }

  async hugeZeroFrame(): Promise<bigint | null> {
    const number = await this.#kernel.variable("huge_zero_pfn");
    return number === null ? null : number << 12n;
  }
}
