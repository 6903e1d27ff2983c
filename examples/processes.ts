/**
 * Lists the processes of a guest with the page table of each, from its memory alone: Linux's, or by
 * --kernel those of xv6 and kernels like it.
 *
 *     deno run --allow-net=127.0.0.1:1334 processes.ts 1334
 */
import type { Session } from "@pagewalk/pagewalk";
import type { LinuxGuest, LinuxProcess } from "@pagewalk/pagewalk/linux";
import {
  elfProcessesHead,
  elfProcessLine,
  processesHead,
  processLine,
  threadLine,
} from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeText,
  flag,
  LineWriter,
  MONITOR,
  runCommand,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "processes.ts",
  purpose: "List the processes of a guest with their page tables",
  positionals: [MONITOR],
  options: {
    user: flag("leave out the kernel's threads"),
    threads: flag("list each thread"),
    cmdline: flag("show the arguments of each"),
    cgroup: flag("show the cgroup of each: its service, or its container"),
    nspid: flag("show the pid of each in the namespace of its container"),
    json: flag("print one JSON object per line"),
    ...CONNECT_OPTIONS,
  },
  notes: [
    "A Linux guest's kernel is found in guest memory: no debug symbols, no agent, no pause. What is read: the " +
    "kernel's symbol table and type data, then its task list. Finding one process by pid takes about ten " +
    "monitor commands, however many there are. Kernels built with RANDSTRUCT and without type data, and " +
    "confidential guests, whose memory is encrypted, cannot be read.",
    "With --kernel FILE (an ELF file with debugging data, -g) the processes of xv6 and its like are listed: " +
    "kernels with one array of structs that have a pid, a state and a pagetable.",
  ],
  examples: ["1334", "1334 --user --json", "unix:mon.sock --kernel kernel/kernel"],
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  if (options.kernel !== undefined) return await listByElf(guest, options.json);
  const linux = await guest.linux();
  const processes = (await linux.processes())
    .filter(({ isKernelThread }) => !(options.user && isKernelThread))
    .sort((a, b) => a.pid - b.pid);
  const details = await Promise.all(processes.map((each) => detailsOf(linux, each, options)));
  if (options.json) {
    using out = new LineWriter();
    for (const [i, process] of processes.entries()) {
      const { pid, comm, state, root, userRoot, threadCount } = process;
      const threads = options.threads && (await linux.threads(process)).map(({ tid }) => tid);
      const known = { pid, comm, state, root, userRoot, threadCount };
      out.line(toJson({ ...known, ...threads && { threads }, ...details[i] }));
    }
    return;
  }
  console.log(escapeText(`Linux ${linux.version} at ${guest.endpoint}`));
  console.log(processesHead());
  for (const [i, process] of processes.entries()) {
    const more = Object.values(details[i]!).map((each) => `  ${escapeText(String(each))}`).join("");
    console.log(processLine(options.threads ? { ...process, threadCount: 1 } : process) + more);
    if (options.threads && process.threadCount > 1) {
      (await linux.threads(process)).forEach((each) => console.log(threadLine(each)));
    }
  }
});

/** Lists the processes of xv6, or of a kernel like it. */
async function listByElf(guest: Session, asJson: boolean): Promise<void> {
  const kernel = await guest.elfKernel();
  const processes = await kernel.processes();
  if (asJson) return processes.forEach((process) => console.log(toJson(process)));
  console.log(escapeText(`${kernel.processTable}[] of ${guest.endpoint}`));
  console.log(elfProcessesHead());
  for (const process of processes) console.log(elfProcessLine(process));
}

/** What was asked for of a process besides its page tables. */
async function detailsOf(
  linux: LinuxGuest,
  process: LinuxProcess,
  wanted: { cmdline: boolean; cgroup: boolean; nspid: boolean },
): Promise<Record<string, string | number>> {
  const pids = wanted.nspid ? await linux.namespacePids(process) : [];
  return {
    ...wanted.nspid && { nspid: pids.at(-1) ?? process.pid },
    ...wanted.cgroup && { cgroup: await linux.cgroup(process) },
    ...wanted.cmdline && { cmdline: (await linux.commandLine(process) ?? []).join(" ") },
  };
}
