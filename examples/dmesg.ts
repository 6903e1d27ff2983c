/**
 * Prints the kernel's log of a Linux guest, read from its memory: also of one that hangs or has crashed.
 *
 *     deno run --allow-net=127.0.0.1:1334 dmesg.ts 1334 --follow
 */
import { logText } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeMessage,
  flag,
  MONITOR,
  runCommand,
  toJson,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "dmesg.ts",
  purpose: "Print the kernel's log of a Linux guest",
  positionals: [MONITOR],
  options: {
    follow: flag("print new records as they arrive, until interrupted"),
    last: wholeNumber("N", "start with the newest N records (default: all)"),
    level: wholeNumber(
      "N",
      "only records of this level or more severe: 3 errors, 4 warnings (default 7)",
      0,
      7,
    ),
    json: flag("print one JSON object per record"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334", "1334 --follow --last 10", "1334 --level 4"],
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  const linux = await guest.linux();
  const last = options.last === undefined ? {} : { last: options.last };
  const onPartial = (reason: string) => console.error(`note: ${escapeMessage(reason)}`);
  const records = options.follow
    ? linux.followDmesg(last)
    : await linux.dmesg({ ...last, onPartial });
  for await (const record of records) {
    if (record.level > (options.level ?? 7)) continue;
    console.log(options.json ? toJson(record) : logText(record));
  }
});
