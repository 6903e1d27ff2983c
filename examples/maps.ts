/**
 * Lists the memory of a process of a Linux guest as `/proc/PID/maps` does, and next to it what its page
 * tables say: pages that are there, large ones, swapped or never touched ones, and where rights differ.
 *
 *     deno run --allow-net=127.0.0.1:1334 maps.ts 1334 target
 */
import { type AreaPages, sumAreaPages, type WantedProcess } from "@pagewalk/pagewalk/linux";
import { areaLine, areaRecord, memorySumsLine } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeText,
  flag,
  formatAddress,
  InvalidArgumentError,
  MONITOR,
  PROCESS_OPTIONS,
  processChoice,
  type ProcessValues,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "maps.ts",
  purpose: "List a process's memory and what its page tables say about it",
  positionals: [MONITOR, {
    name: "process",
    purpose: "its pid, or its name if only one process has it",
    optional: true,
  }],
  options: {
    ...PROCESS_OPTIONS,
    json: flag("print one JSON object per line"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334 target", "1334 84", "1334 --cmdline /usr/bin/target --json"],
}, async ({ positionals: [monitor, named], options }) => {
  const wanted = wantedProcess(named, options);
  await using guest = await connectTo(monitor!, options);
  const linux = await guest.linux();
  const process = await linux.process(wanted);
  const areas = await linux.vmas(process);
  if (!options.json) {
    const root = formatAddress(linux.contextOf(process).root);
    const name = escapeText(process.comm);
    console.log(`pid ${process.pid} ${name}, root ${root}, ${areas.length} areas`);
  }
  const all: AreaPages[] = [];
  for await (const pages of linux.areaPages(process, areas)) {
    const area = areas[all.length]!;
    all.push(pages);
    console.log(options.json ? toJson(areaRecord(area, pages)) : areaLine({ ...area, pages }));
  }
  if (!options.json) console.log(memorySumsLine(sumAreaPages(areas, all)));
});

/** The process that the arguments name. */
function wantedProcess(named: string | undefined, options: ProcessValues): WantedProcess {
  const chosen = processChoice(options);
  if ((named === undefined) === (chosen === undefined)) {
    const message = "Name one process: its pid or name behind the monitor, or by one of --pid, " +
      "--comm, --cmdline, --cgroup and --nspid";
    throw new InvalidArgumentError(message, named);
  }
  return chosen ?? (/^\d+$/.test(named!) ? Number(named) : named!);
}
