/**
 * Lists the modules of a Linux guest's kernel, with bases and sizes, from its memory alone.
 *
 *     deno run --allow-net=127.0.0.1:1334 modules.ts 1334
 */
import { kernelModules } from "@pagewalk/pagewalk/linux";
import { moduleLine, modulesHead } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  flag,
  MONITOR,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "modules.ts",
  purpose: "List the modules of a Linux guest's kernel, the last one loaded first",
  positionals: [MONITOR],
  options: {
    json: flag("print one JSON object per line, with each piece of memory"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334", "1334 --json"],
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  const modules = await kernelModules(await guest.linux()).list();
  if (options.json) modules.forEach((module) => console.log(toJson(module)));
  else console.log([modulesHead(), ...modules.map((module) => moduleLine(module))].join("\n"));
});
