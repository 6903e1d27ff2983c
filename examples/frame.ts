/**
 * Says what a frame of a Linux guest's memory is: what it belongs to, whether it is pinned for DMA, and
 * which processes map it.
 *
 *     deno run --allow-net=127.0.0.1:1334 frame.ts 1334 0x2a0b000
 */
import { readFrameReport } from "@pagewalk/pagewalk/devices";
import { frameRecord, frameText } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  EXIT,
  flag,
  MONITOR,
  parseAddress,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "frame.ts",
  purpose: "Say what a frame of a Linux guest's memory is, and who maps it",
  positionals: [MONITOR, {
    name: "physical_address",
    purpose: "an address in the frame, such as 0x2a0b000",
  }],
  options: {
    json: flag("print one JSON object"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334 0x2a0b000", "1334 0x2a0b000 --json"],
  exits: { 2: "not all processes' tables could be read" },
}, async ({ positionals: [monitor, address], options }) => {
  const wanted = parseAddress(address!);
  await using guest = await connectTo(monitor!, options);
  const report = await readFrameReport(guest, wanted);
  if (options.json) console.log(toJson(frameRecord(report)));
  else frameText(report).forEach((line) => console.log(line));
  return report.problems.length === 0 ? EXIT.PASS : EXIT.INCONCLUSIVE;
});
