/**
 * Prints the kernel's log of a Linux guest, read from its memory: also of one that hangs or has crashed.
 *
 *     deno run --allow-net=127.0.0.1:1334 dmesg.ts 1334 --follow
 */
import type { LogRecord } from "@pagewalk/pagewalk/linux";
import { logText } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeMessage,
  escapeText,
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
    follow: flag(
      "print new records as they arrive, those of the next kernel too, until interrupted",
    ),
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
  const last = options.last === undefined ? {} : { last: options.last };
  const onPartial = (reason: string) => console.error(`note: ${escapeMessage(reason)}`);
  if (!options.follow) {
    const linux = await guest.linux();
    for (const record of await linux.dmesg({ ...last, onPartial })) print(record);
    return;
  }
  let isFirst = true;
  for await (const event of guest.followLog(last)) {
    if (event.kind === "record") {
      print(event.record);
    } else if (event.kind === "gone") {
      console.error("note: this kernel no longer runs (reset, or kexec); waiting for the next one");
    } else {
      const release = escapeText(event.release);
      if (!isFirst) console.error(`note: another kernel has started, Linux ${release}: its log`);
      isFirst = false;
    }
  }

  function print(record: LogRecord): void {
    if (record.level > (options.level ?? 7)) return;
    console.log(options.json ? toJson(record) : logText(record));
  }
});
