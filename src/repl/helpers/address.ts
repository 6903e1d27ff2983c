import type { Helper } from "../helper.ts";

/** `address(text)`. */
export const ADDRESS: Helper = {
  name: "address",
  usage: "address(text)",
  purpose: "the address that a text names, as any tool prints it",
  addresses: [0],
  notes: [
    'All helpers take these too: walk("ffffffff81000000 T _stext"), walk("_stext+0x40"), walk($rip).',
    "A line that is copied from kallsyms, maps, dmesg, gdb or the monitor may be entered as it is.",
  ],
  example: `
> address("ffffffff81000000 T _stext")
0xffff_ffff_8100_0000
> address("0xffff'8000'0000'0000")
0xffff_8000_0000_0000
> 0000000000400000
0x40_0000
> address("$cr3")
0x510_0000
`,
  create: () => (address: bigint) => address,
};
