/** What pagewalk reads of a Linux guest, held against what the guest says of itself. */
import { AddressSpace, NoSuchProcessError, type PhysicalMemory, withRoot } from "../../mod.ts";
import {
  type AreaPages,
  type LinuxGuest,
  type LinuxProcess,
  sumAreaPages,
} from "../../src/entries/linux.ts";
import { logText } from "../../src/report/mod.ts";

/** A guest that can be asked: the lab's, or any with a shell. */
export interface GuestShell {
  /** Runs one line in the guest's shell and answers what it wrote. */
  shell(command: string): Promise<string>;
}

/** One comparison: how much was compared, and everything that differed. */
export interface Comparison {
  /** How many things both sides told of. */
  compared: number;
  /** One line for each thing that differed. */
  differences: string[];
}

/** Those processes that have memory of their own. */
export function withMemory(processes: readonly LinuxProcess[]): LinuxProcess[] {
  return processes.filter(({ root }) => root !== null);
}

/** Compares pids, names and threads with /proc, which is where `ps` has them from. */
export async function compareProcesses(
  guest: GuestShell,
  linux: LinuxGuest,
): Promise<Comparison> {
  const before = await procEntries(guest);
  const listed = await linux.processes();
  const after = await procEntries(guest);
  const mine = new Map<number, string>();
  for (const process of listed) {
    const threads = await linux.threads(process).catch((error) => {
      // It may have come and gone with the question.
      if (error instanceof NoSuchProcessError) return [];
      throw error;
    });
    if (threads.length > 0) mine.set(process.pid, entryText(process.comm, threads));
  }
  const differences = listed.length >= mine.size ? [] : ["a pid is there twice"];
  // What came or went meanwhile may be in the list or not.
  const lasting = [...before].filter(([pid, text]) => after.get(pid) === text);
  for (const [pid, text] of lasting) {
    if (mine.get(pid) !== text) differences.push(`${pid}: ${mine.get(pid)}, not ${text}`);
  }
  for (const [pid, text] of mine) {
    if (!before.has(pid) && !after.has(pid)) differences.push(`${pid}: ${text}, in no /proc`);
  }
  return { compared: lasting.length, differences };
}

function entryText(comm: string, threads: readonly { tid: number; comm: string }[]): string {
  // A worker's name in /proc ends in what it works for, which is not part of its name in memory.
  const named = threads.map((thread) => `${thread.tid} ${plainName(thread.comm)}`);
  return [plainName(comm), ...named.sort()].join(", ");
}

function plainName(comm: string): string {
  return comm.startsWith("kworker/") ? comm.split(/[-+]/)[0]! : comm.slice(0, 15);
}

/** What /proc says of each process, threads included. */
async function procEntries(guest: GuestShell): Promise<Map<number, string>> {
  // One program for all: under TCG a guest takes longer to start one than to read a file.
  const stats = await guest.shell(
    "cd /proc; grep -H '' [1-9]*/stat [1-9]*/task/*/stat 2>/dev/null; cd /",
  );
  const named = [...stats.matchAll(/^(\d+)\/(task\/)?.*?stat:(\d+) \((.*)\) \S /gm)];
  const entries = new Map<number, string>();
  for (const [, pid, task, , comm] of named) {
    if (task !== undefined) continue;
    const threads = named.filter(([, of, task]) => of === pid && task !== undefined)
      .map(([, , , tid, comm]) => ({ tid: Number(tid), comm: comm! }));
    entries.set(Number(pid), entryText(comm!, threads));
  }
  return entries;
}

/** Compares arguments, cgroups and the pids of containers with /proc. */
export async function compareDetails(guest: GuestShell, linux: LinuxGuest): Promise<Comparison> {
  const text = await guest.shell(
    "cd /proc; grep -Hz '' [1-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; " +
      "grep -H '^0::' [1-9]*/cgroup; grep -H -e ^Name -e ^NSpid: [1-9]*/status; cd /",
  );
  const told = [...text.matchAll(/^(\d+)\/(cmdline|cgroup|status):(.*)$/gm)];
  const linesOf = (pid: string, file: string) =>
    told.filter(([, of, name]) => of === pid && name === file).map(([, , , line]) => line!);
  const theirs = new Map(
    told.filter(([, , file, line]) => file === "status" && line!.startsWith("Name:"))
      .map(([, pid]): [number, string] => [
        Number(pid),
        [
          linesOf(pid!, "cmdline").join(" ").trim(),
          ...linesOf(pid!, "cgroup").map((line) => line.replace(/^0::/, "").trim()),
          ...linesOf(pid!, "status").filter((line) => line.startsWith("NSpid:"))
            .map((line) => line.replace(/^NSpid:\s*/, "").trim().replaceAll("\t", " ")),
        ].join("|"),
      ]),
  );
  const comparison: Comparison = { compared: 0, differences: [] };
  for (const process of await linux.processes()) {
    const their = theirs.get(process.pid);
    if (their === undefined) continue;
    const mine = [
      (await linux.commandLine(process) ?? []).join(" ").trim(),
      await linux.cgroup(process),
      (await linux.namespacePids(process)).join(" "),
    ].join("|");
    comparison.compared++;
    if (mine !== their) comparison.differences.push(`${process.pid}: ${mine}, not ${their}`);
  }
  return comparison;
}

/** Compares the memory areas of every process with /proc/PID/maps. */
export async function compareAreas(guest: GuestShell, linux: LinuxGuest): Promise<Comparison> {
  const comparison: Comparison = { compared: 0, differences: [] };
  for (const process of withMemory(await linux.processes())) {
    const maps = await guest.shell(`cat /proc/${process.pid}/maps`);
    if (!maps.includes("-")) continue; // It has exited.
    const theirs = maps.trim().split("\n").map((line) =>
      line.replace(/^(\S+ \S+ \S+) \S+ \S+\s*/, "$1 ")
    );
    const mine = (await linux.vmas(process)).map(({ start, end, permissions, offset, name }) =>
      `${areaHex(start)}-${areaHex(end)} ${permissions} ${areaHex(offset)} ${name}`
    );
    const title = (line: string) => `${process.pid} ${process.comm}: ${line}`;
    comparison.compared += theirs.length;
    addDifferences(comparison, mine.map(title), theirs.map(title));
  }
  return comparison;
}

function areaHex(address: bigint): string {
  return address.toString(16).padStart(8, "0");
}

/** A line of /proc/kallsyms, and which one it is. */
interface KallsymsLine {
  readonly number: number;
  readonly line: string;
}

const kallsymsOf = new WeakMap<GuestShell, Promise<KallsymsLine[]>>();

/** Every 1500th line of /proc/kallsyms, and those of modules: a guest takes seconds to write it, so once. */
export function kallsyms(guest: GuestShell): Promise<KallsymsLine[]> {
  const known = kallsymsOf.get(guest) ?? readKallsyms(guest, 'index($0, "[") || NR % 1500 == 7');
  kallsymsOf.set(guest, known);
  return known;
}

async function readKallsyms(guest: GuestShell, which: string): Promise<KallsymsLine[]> {
  const text = await guest.shell(`awk '${which} {print NR, $0}' /proc/kallsyms`);
  return [...text.matchAll(/^(\d+) (.+)$/gm)].map(([, number, line]) => ({
    number: Number(number),
    line: line!,
  }));
}

/**
 * Compares every 1500th line of /proc/kallsyms: number, address, type and name, and looks the name and
 * the address up as well.
 */
export async function compareSymbols(
  guest: GuestShell,
  linux: LinuxGuest,
  told?: readonly KallsymsLine[],
): Promise<Comparison> {
  const all = await linux.symbols();
  const counts = new Map<string, number>();
  for (const { name } of all) counts.set(name, (counts.get(name) ?? 0) + 1);
  const comparison: Comparison = { compared: 0, differences: [] };
  for (const { number, line } of told ?? await readKallsyms(guest, "NR % 1500 == 7")) {
    if (line.includes("[")) continue;
    const [address, type, name] = line.split(" ") as [string, string, string];
    const symbol = all[number - 1];
    const mine = symbol && `${symbol.address.toString(16).padStart(16, "0")} ${symbol.type}`;
    comparison.compared++;
    if (mine !== `${address} ${type}` || symbol?.name !== name) {
      comparison.differences.push(`${line}: ${mine} ${symbol?.name}`);
      continue;
    }
    const found = counts.get(name) === 1 ? await linux.symbol(name) : symbol;
    if (found?.address !== symbol.address || found.type !== type) {
      comparison.differences.push(`${line}: by its name ${found?.type} ${found?.address}`);
    }
    // Per-CPU symbols are not in the image.
    if (symbol.address >> 63n === 0n) continue;
    const at = await linux.symbolAt(symbol.address + 1n);
    if (!at || at.address > symbol.address + 1n || at.address < symbol.address) {
      comparison.differences.push(`${line}: by its address ${at?.name}`);
    }
  }
  return comparison;
}

/** The guest's `dmesg` as it stands on a terminal: each tab of a record as blanks up to the next column. */
export function withoutTabs(dmesg: string): string {
  return dmesg.replaceAll(/^(\[ *\d+\.\d+\] )(.*)$/gm, (_, time: string, text: string) => {
    let shown = "";
    for (const character of text) {
      shown += character === "\t" ? " ".repeat(8 - shown.length % 8) : character;
    }
    return time + shown;
  });
}

/** Compares the kernel's log with `dmesg`, line by line. */
export async function compareLog(guest: GuestShell, linux: LinuxGuest): Promise<Comparison> {
  const mine = (await linux.dmesg()).map(logText).join("\n").split("\n");
  const theirs = withoutTabs(await guest.shell("dmesg")).split("\n");
  const comparison: Comparison = { compared: theirs.length, differences: [] };
  addDifferences(comparison, mine, theirs);
  return comparison;
}

/**
 * Compares the frame of the first pages of each memory area with /proc/PID/pagemap, walked from the
 * process's root, and from the root for user code where there is one.
 */
export async function compareFrames(
  guest: GuestShell,
  linux: LinuxGuest,
  memory: PhysicalMemory,
): Promise<Comparison> {
  const comparison: Comparison = { compared: 0, differences: [] };
  // The shell that asks goes on meanwhile: its pages move.
  const asking = Number(await guest.shell("echo $$"));
  for (const process of withMemory(await linux.processes())) {
    if (process.pid === asking) continue;
    const areas = await linux.vmas(process);
    const parts = areas.flatMap(({ end, permissions, start }) => {
      if (start >> 63n === 1n) return []; // [vsyscall] is the kernel's.
      const isNone = permissions.startsWith("---");
      return [[start, start + 0x1000n].filter((at) => at < end).map((at) => ({ at, isNone }))];
    });
    const pages = parts.flat();
    if (pages.length === 0) continue;
    // One program for each area: under TCG a guest takes longer to start one than to run it.
    const reads = parts.map(([first, ...others]) => `p ${first!.at >> 12n} ${1 + others.length}`);
    const text = await guest.shell(
      `p() { dd if=/proc/${process.pid}/pagemap bs=8 skip=$1 count=$2; }; ` +
        `{ ${reads.join("; ")}; } 2>/dev/null | od -An -v -w8 -t x8`,
    );
    const entries = text.split("\n").filter((line) => line !== "").map((line) =>
      BigInt(`0x${line.trim()}`)
    );
    if (entries.length !== pages.length) {
      comparison.differences.push(`${process.pid}: ${entries.length} of ${pages.length} entries`);
      continue;
    }
    for (const root of new Set([process.root!, process.userRoot ?? process.root!])) {
      const space = new AddressSpace(memory, withRoot(linux.context, root));
      for (const [i, { at, isNone }] of pages.entries()) {
        // A touched page under PROT_NONE is present for Linux, and not for the processor.
        const isPresent = entries[i]! >> 63n === 1n && !isNone;
        const frame = isPresent ? (entries[i]! & ((1n << 55n) - 1n)) << 12n : null;
        const mine = await space.translate(at);
        comparison.compared++;
        if (mine !== frame) {
          const [m, t] = [mine, frame].map((each) => each?.toString(16) ?? "none");
          comparison.differences.push(
            `${process.pid} ${process.comm}, root ${root.toString(16)}: ${
              at.toString(16)
            }: ${m}, not ${t}`,
          );
        }
      }
    }
  }
  return comparison;
}

function addDifferences(
  { differences }: Comparison,
  mine: readonly string[],
  theirs: readonly string[],
): void {
  if (mine.length !== theirs.length) differences.push(`${mine.length} lines, not ${theirs.length}`);
  for (const [i, line] of theirs.entries()) {
    if (mine[i] !== line) differences.push(`${mine[i]}, not ${line}`);
  }
}

/** What of smaps the page tables alone tell, in kB, of one area. */
const SUMMED = ["Rss", "Swap", "AnonHugePages", "PmdMapped", "Hugetlb"] as const;

/** Compares what the page tables say of each area of every process with /proc/PID/smaps. */
export async function compareSums(guest: GuestShell, linux: LinuxGuest): Promise<Comparison> {
  const comparison: Comparison = { compared: 0, differences: [] };
  const asking = Number(await guest.shell("echo $$"));
  for (const process of withMemory(await linux.processes())) {
    const { pid, comm } = process;
    if (pid === asking) continue;
    const areas = (await linux.vmas(process)).filter(({ start }) => start >> 63n === 0n);
    const pages = await Array.fromAsync(linux.areaPages(process, areas));
    const theirs = smapsOf(await guest.shell(`cat /proc/${pid}/smaps`));
    const mine = areas.map((area, i) => {
      const sums = sumAreaPages([area], [pages[i]!]);
      const kilobytes = [
        ...[sums.rssBytes, sums.swapBytes, sums.anonHugeBytes],
        ...[sums.fileHugeBytes, sums.hugetlbBytes],
      ].map((bytes) => bytes / 1024);
      return `${pid} ${comm} ${areaHex(area.start)} ${SUMMED.join(",")}: ${kilobytes}`;
    });
    comparison.compared += theirs.length;
    addDifferences(
      comparison,
      mine,
      theirs.map(([start, kilobytes]) =>
        `${pid} ${comm} ${start} ${SUMMED.join(",")}: ${kilobytes}`
      ),
    );
  }
  return comparison;
}

/** The areas of a smaps file: where each begins, and its figures. */
function smapsOf(text: string): [start: string, kilobytes: number[]][] {
  const areas: [string, number[]][] = [];
  for (const line of text.split("\n")) {
    const [, start] = /^([0-9a-f]+)-[0-9a-f]+ /.exec(line) ?? [];
    if (start !== undefined && !line.includes("[vsyscall]")) areas.push([start, [0, 0, 0, 0, 0]]);
    const [, name, value] = /^(\w+): +(\d+) kB$/.exec(line) ?? [];
    const at = SUMMED.findIndex((word) =>
      name === word || name?.endsWith(`_${word}`) ||
      (word === "PmdMapped" && name?.endsWith(word))
    );
    if (at >= 0) areas.at(-1)![1][at]! += Number(value);
  }
  return areas;
}

/** What the sums of an area call a state that the guest's program made. */
const STATE_SUMS: Readonly<Record<string, keyof AreaPages>> = {
  "uffd-wp": "uffdWriteProtectedBytes",
  "poisoned": "poisonedBytes",
  "guard": "guardBytes",
  "hwpoison": "hwpoisonBytes",
  "none": "protNoneBytes",
};

/** Compares the states of pages that the program `states` made, as far as this kernel has them. */
export async function compareStates(
  linux: LinuxGuest,
  said: string,
  process: LinuxProcess,
): Promise<Comparison> {
  const comparison: Comparison = { compared: 0, differences: [] };
  const areas = await linux.vmas(process);
  const pages = await Array.fromAsync(linux.areaPages(process, areas));
  for (const [, state, start, length] of said.matchAll(/^STATE (\S+) 0x(\w+) (\d+)$/gm)) {
    const at = areas.findIndex((area) =>
      area.start <= BigInt(`0x${start}`) &&
      area.end > BigInt(`0x${start}`)
    );
    const found = pages[at]?.[STATE_SUMS[state!]!];
    comparison.compared++;
    if (found !== Number(length)) {
      const { mappedBytes: _, ...sums } = pages[at]!;
      const others = Object.entries(sums).filter(([, bytes]) => bytes > 0);
      comparison.differences.push(`${state}: ${found} bytes, not ${length}; ${others}`);
    }
  }
  return comparison;
}
