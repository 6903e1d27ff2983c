/**
 * Explains Linux's report of a fault (an oops, a segfault, KASAN's): what the access was, why it
 * faulted, and what became of the page-table entries since.
 *
 *     deno run --allow-net=127.0.0.1:1334 oops.ts 1334 < console.log
 *     deno run --allow-net=127.0.0.1:1334 --allow-read=oops.txt oops.ts 1334 oops.txt
 */
import { explainOops } from "@pagewalk/pagewalk/linux";
import { oopsLines, oopsRecord } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  flag,
  MONITOR,
  readTextInput,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "oops.ts",
  purpose: "Explain a Linux fault report with the current page tables",
  positionals: [MONITOR, {
    name: "file",
    purpose: "the log; - or no argument: standard input",
    optional: true,
  }],
  options: {
    ...TABLE_OPTIONS,
    json: flag("print one JSON object"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334 < console.log", "1334 oops.txt --root 0x102e5a000"],
  exits: {},
}, async ({ positionals: [monitor, file], options }) => {
  const text = await readTextInput(file);
  await using guest = await connectTo(monitor!, options);
  const found = await explainOops(guest, text, tableChoice(options));
  console.log(options.json ? toJson(oopsRecord(found)) : oopsLines(found).join("\n"));
  return 0;
});
