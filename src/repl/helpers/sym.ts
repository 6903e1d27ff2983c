import { parseAddress } from "../../core/address.ts";
import type { ElfKernel } from "../../elf_kernel/elf_kernel.ts";
import { CapabilityError } from "../../linux/errors.ts";
import type { LinuxGuest } from "../../linux/linux_guest.ts";
import type { KernelModules } from "../../linux/modules/kernel_modules.ts";
import { symbolLine } from "../../report/symbol_text.ts";
import type { Helper } from "../helper.ts";
import { modulesOf, symbolNames, useLinux } from "../linux.ts";
import { GROUPED } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";

/** `sym(name | address)`. */
export const SYM: Helper = {
  name: "sym",
  usage: "sym(name | address)",
  purpose: "a symbol of the kernel or a module by name, or that of an address",
  takesText: true,
  on: "linux",
  notes: [
    "Null if there is none. A module's symbol is written with [its name], and",
    'sym("vfio:vfio_register_group_dev") is that of one module. Once Linux was asked for anything,',
    "kernel addresses are printed with their symbol: regs(), cpus(), a number.",
  ],
  example: `
> sym("init_task")
… D init_task
> sym(sym("init_task").address + 8)
… D init_task+0x8
> sym("init_task").address
0xffff_… init_task
> sym("no_such_symbol")
null
`,
  complete: symbolNames,
  create: ({ guest }) => (wanted: string | number | bigint) => {
    const name = typeof wanted === "string" && !/^[0-9]/.test(wanted) ? wanted : null;
    const find = async (
      kernel: Pick<LinuxGuest, "symbol" | "symbolAt"> | ElfKernel,
      modules?: KernelModules,
    ) => {
      const found = name !== null
        ? await kernel.symbol(name) ?? await orNone(modules?.symbol(name))
        : await kernel.symbolAt(parseAddress(wanted)) ??
          await orNone(modules?.symbolAt(parseAddress(wanted)));
      return found && showAs(found, (symbol, style) => symbolLine(symbol, { ...GROUPED, style }));
    };
    return guest.current?.kernelPath
      ? guest.use(async (session) => await find(await session.elfKernel()))
      : useLinux(guest, async ({ linux }) => await find(linux, await modulesOf(linux)));
  },
};

/** A kernel without modules, or without type data, has its own symbols all the same. */
async function orNone<T>(found?: Promise<T | null>): Promise<T | null> {
  try {
    return await found ?? null;
  } catch (error) {
    if (error instanceof CapabilityError) return null;
    throw error;
  }
}
