/**
 * Lists the processes of a Linux guest, with the page table of each, from its memory alone.
 *
 *     deno run --allow-net=127.0.0.1:1334 processes.ts 1334
 */
import { processesHead, processLine, threadLine } from "@pagewalk/pagewalk";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeText,
  flag,
  MONITOR,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "processes.ts",
  purpose: "List the processes of a Linux guest with their page tables",
  positionals: [MONITOR],
  options: {
    user: flag("leave out the kernel's threads"),
    threads: flag("list each thread"),
    json: flag("print one JSON array"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334", "1334 --user --json"],
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  const linux = await guest.linux();
  const processes = (await linux.processes())
    .filter(({ isKernelThread }) => !(options.user && isKernelThread))
    .sort((a, b) => a.pid - b.pid);
  if (options.json) {
    const rows = [];
    for (const process of processes) {
      const { pid, comm, state, root, userRoot, threadCount } = process;
      const threads = options.threads && (await linux.threads(process)).map(({ tid }) => tid);
      rows.push({ pid, comm, state, root, userRoot, threadCount, ...threads && { threads } });
    }
    console.log(toJson(rows));
    return;
  }
  console.log(escapeText(`Linux ${linux.version} at ${guest.endpoint}`));
  console.log(processesHead());
  for (const process of processes) {
    console.log(processLine(options.threads ? { ...process, threadCount: 1 } : process));
    if (options.threads && process.threadCount > 1) {
      (await linux.threads(process)).forEach((each) => console.log(threadLine(each)));
    }
  }
});
