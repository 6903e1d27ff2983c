import type { AddressLike } from "../../core/address.ts";
import type { WalkOptions } from "../../translate/walk.ts";
import type { Helper } from "../helper.ts";

/** `iova(device, address)`. */
export const IOVA: Helper = {
  name: "iova",
  usage: "iova(device, address)",
  purpose: "walk the tables that translate a device's DMA",
  on: "iommu",
  addresses: [1],
  notes: [
    "device: bus, device and function, such as 00:03.0. flags: R readable, W writable by the device.",
    "const all = (await session.iommu()).devices() has every device, and the state of its DMA.",
  ],
  example: `
> iova("00:03.0", 0x7123)
0x7123 in VT-d second level, 3 levels paging, root …
level    index  at …
SL-PDPT      0  …
SL-PD        0  …
SL-PT        7  …
mapped to 0x…123, 4 KiB page: read yes, write yes
> iova("00:03.0", 0x7f0000000000).outcome
nonCanonical
`,
  create: (repl) => (device: string, address: AddressLike, options: WalkOptions = {}) =>
    repl.guest.use((session) => session.iova(device, address, { signal: repl.signal, ...options })),
};
