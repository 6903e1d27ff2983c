/**
 * Looks up symbols of a Linux guest's kernel, by name or by address, and the layout of its structures.
 * With --kernel those of xv6, or of a kernel like it.
 *
 *     deno run --allow-net=127.0.0.1:1334 symbols.ts 1334 init_task
 */
import { layoutText, symbolLine, symbolName } from "@pagewalk/pagewalk/report";
import {
  addressArgument,
  addressNotation,
  CONNECT_OPTIONS,
  connectTo,
  escapeText,
  flag,
  formatAddress,
  MONITOR,
  PagewalkError,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "symbols.ts",
  purpose: "Look up a symbol of a Linux guest's kernel by name or address, or list them all",
  positionals: [MONITOR, {
    name: "symbol",
    purpose: "a name, an address such as 0xffffffff81000000, or struct:NAME; nothing lists all",
    optional: true,
  }],
  options: { json: flag("print JSON"), ...CONNECT_OPTIONS },
  examples: [
    "1334 init_task",
    "unix:mon.sock proc --kernel kernel/kernel",
    "1334 0xffffffff81000010",
    "1334 struct:task_struct",
    "1334",
  ],
}, async ({ positionals: [monitor, wanted], options }) => {
  await using guest = await connectTo(monitor!, options);
  const kernel = options.kernel === undefined ? await guest.linux() : await guest.elfKernel();
  if (wanted === undefined) {
    const lines = (await kernel.symbols()).map(({ address, type, name }) =>
      `${address.toString(16).padStart(16, "0")} ${escapeText(`${type} ${name}`)}`
    );
    console.log(options.json ? toJson(await kernel.symbols()) : lines.join("\n"));
    return;
  }
  if (wanted.startsWith("struct:")) {
    const layout = await (await guest.linux()).type(wanted.slice("struct:".length));
    if (!layout) throw new PagewalkError(`The kernel has no ${wanted.replace(":", " ")}`);
    return console.log(options.json ? toJson(layout) : layoutText(layout));
  }
  const named = await kernel.symbol(wanted);
  const address = named || addressNotation(wanted) === null ? null : addressArgument(wanted);
  const at = address === null ? null : await kernel.symbolAt(address);
  const found = named ?? at;
  if (!found) throw new PagewalkError(`The kernel's image has no symbol for ${wanted}`);
  if (options.json) return console.log(toJson(found));
  const distance = at && at.offset !== 0 ? ` ${formatAddress(address!)} = ${symbolName(at)}` : "";
  console.log(`${symbolLine({ ...found, offset: 0 })}${distance}`);
});
