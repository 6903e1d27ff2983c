/**
 * Looks up symbols of a Linux guest's kernel, by name or by address, and the layout of its structures.
 * With --kernel those of xv6, or of a kernel like it.
 *
 *     deno run --allow-net=127.0.0.1:1334 symbols.ts 1334 init_task
 */
import { type KernelModules, kernelModules, type KernelSymbol } from "@pagewalk/pagewalk/linux";
import { layoutText, symbolLine, symbolName } from "@pagewalk/pagewalk/report";
import {
  addressArgument,
  addressNotation,
  CONNECT_OPTIONS,
  connectTo,
  escapeMessage,
  escapeText,
  flag,
  formatAddress,
  LineWriter,
  MONITOR,
  PagewalkError,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "symbols.ts",
  purpose:
    "Look up a symbol of a Linux guest's kernel or its modules by name or address, or list them all",
  positionals: [MONITOR, {
    name: "symbol",
    purpose:
      "a name, with its module's if need be (vfio:vfio_register_group_dev), an address, or struct:NAME; nothing lists all",
    optional: true,
  }],
  options: {
    json: flag("print JSON: one object for one answer, one per line for all symbols"),
    ...CONNECT_OPTIONS,
  },
  examples: [
    "1334 init_task",
    "1334 0xffffffff81000010",
    "1334 vfio:vfio_register_group_dev",
    "1334 struct:task_struct",
    "1334 struct:vfio_dma",
    "unix:mon.sock proc --kernel kernel/kernel",
    "1334",
  ],
}, async ({ positionals: [monitor, wanted], options }) => {
  await using guest = await connectTo(monitor!, options);
  const isLinux = options.kernel === undefined;
  const kernel = isLinux ? await guest.linux() : await guest.elfKernel();
  const modules = isLinux ? kernelModules(await guest.linux()) : null;
  if (wanted === undefined) return await listAll(await kernel.symbols(), modules, options.json);
  if (wanted.startsWith("struct:")) {
    const name = wanted.slice("struct:".length);
    const layout = await (await guest.linux()).type(name) ?? await modules?.type(name);
    if (!layout) throw new PagewalkError(`Neither the kernel nor a module has a struct ${name}`);
    return console.log(options.json ? toJson(layout) : layoutText(layout));
  }
  const isNumber = addressNotation(wanted) !== null;
  const named = await kernel.symbol(wanted) ??
    (isNumber ? null : await modules?.symbol(wanted) ?? null);
  const address = named || !isNumber ? null : addressArgument(wanted);
  const at = address === null
    ? null
    : await kernel.symbolAt(address) ?? await modules?.symbolAt(address) ?? null;
  const found = named ?? at;
  if (!found) {
    throw new PagewalkError(`Neither the kernel nor a module has a symbol for ${wanted}`);
  }
  if (options.json) return console.log(toJson(found));
  const distance = at && at.offset !== 0 ? ` ${formatAddress(address!)} = ${symbolName(at)}` : "";
  console.log(`${symbolLine({ ...found, offset: 0 })}${distance}`);
});

/** As `/proc/kallsyms` does: the image's symbols in the order of addresses, then each module's. */
async function listAll(
  own: readonly KernelSymbol[],
  modules: KernelModules | null,
  isJson: boolean,
): Promise<void> {
  const symbols = [...own];
  try {
    const listed = await modules?.symbols();
    symbols.push(...listed?.symbols ?? []);
    for (const { module, error } of listed?.unread ?? []) {
      warn(`the symbols of module ${module} are missing: ${error.message}`);
    }
  } catch (error) {
    // The kernel's own are there all the same.
    if (!(error instanceof PagewalkError)) throw error;
    warn(`the symbols of modules are missing: ${error.message}`);
  }
  using out = new LineWriter();
  if (isJson) return symbols.forEach((symbol) => out.line(toJson(symbol)));
  for (const { address, type, name, module } of symbols) {
    const of = module === undefined ? "" : `\t[${escapeText(module)}]`;
    out.line(
      `${address.toString(16).padStart(16, "0")} ${escapeText(type)} ${escapeText(name)}${of}`,
    );
  }
}

function warn(text: string): void {
  console.error(`note: ${escapeMessage(text)}`);
}
