import type { AddressLike } from "../../core/address.ts";
import { readFrameReport } from "../../linux/frame_report.ts";
import { frameText } from "../../report/frame_text.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";

/** `frame(pa)`. */
export const FRAME: Helper = {
  name: "frame",
  usage: "frame(pa)",
  purpose: "what a frame is: whose, pinned or not, who maps it",
  on: "linux",
  addresses: [0],
  notes: [
    "All processes' tables are read for it. state has the kernel's flags, references and pins; owners and",
    "tables who maps it, or whose page table it is.",
  ],
  example: `
> const dma = frame(translate(0x7f1234567000, { comm: "target" }))
> dma
frame 0x…: anonymous memory, pinned for DMA
references 1025, mapped 1 time, flags …
mapped by pid … target at 0x7f12_3456_7000
> dma.state.pinned
true
`,
  create: (repl) => (address: AddressLike) =>
    repl.guest.use(async (session) => {
      const report = await readFrameReport(session, address, { signal: repl.signal });
      return showAs(report, (value) => frameText(value, groupHex).join("\n"));
    }),
};
