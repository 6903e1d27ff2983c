import { escapeText } from "../core/escape.ts";
import type { LinuxProcesses } from "../linux/linux_processes.ts";
import type { Regime } from "../translate/regime.ts";
import { walk } from "../translate/walk.ts";
import { isUnknown } from "./_unknown.ts";
import type { GuestWalk } from "./guest_walk.ts";
import type { GuestSession } from "./guest_session.ts";

/** Each takes a walk of its own: more would take a monitor seconds. */
const MAX_WALKED = 1000;
const MAX_NAMED = 8;

/**
 * For a page that a vCPU's tables do not map: says whose tables those are, and which processes map the
 * address, with the option that chooses each. This takes Linux, or a kernel whose ELF file was named. Null
 * where nothing more is known: another guest, tables that were chosen by name, or a page that is mapped.
 *
 * @throws {MonitorError} if the guest cannot be asked
 *
 * @example Usage
 * ```ts
 * import { connect, whoMapsIt } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals(await whoMapsIt(guest, await guest.walk(0x7f2000003000n)), null); // it runs no kernel
 * ```
 */
export async function whoMapsIt(session: GuestSession, found: GuestWalk): Promise<string | null> {
  const { source, outcome, address } = found;
  if (outcome !== "notPresent" || !("cpu" in source)) return null;
  try {
    const { running, processes } = await processesOn(session, source.cpu);
    const ofTable = processes.find(({ root, userRoot }) => [root, userRoot].includes(found.root));
    const tables = ofTable
      ? `its tables belong to ${named(ofTable)}`
      : "its tables belong to no process";
    if (processes.length > MAX_WALKED) {
      return `${running}${tables}. ${processes.length} processes are too many to search`;
    }
    const walks = await Promise.all(
      processes.map(async ({ context }) =>
        await walk(session.memory, await context(), address, { recheck: false })
      ),
    );
    const holders = processes.filter((_, i) => walks[i]!.outcome === "mapped");
    return `${running}${tables}. ${holdersText(holders)}`;
  } catch (error) {
    if (isUnknown(error)) return null;
    throw error;
  }
}

/** A process of a known kernel, and how its address space is translated. */
interface OwnedTables {
  readonly pid: number;
  readonly comm: string;
  readonly root: bigint | null;
  readonly userRoot?: bigint | null;
  context(): Regime | Promise<Regime>;
}

/** The processes with tables of their own, and what a vCPU runs, if the kernel says. */
async function processesOn(
  session: GuestSession,
  cpu: number,
): Promise<{ readonly running: string; readonly processes: OwnedTables[] }> {
  if (session.kernelPath !== null) {
    const kernel = await session.elfKernel();
    const all = (await kernel.processes()).filter(({ root }) => root !== null);
    const processes = all.map((each) => ({ ...each, context: () => kernel.contextOf(each) }));
    return { running: "", processes };
  }
  const linux = await session.linux();
  const running = await runningText(linux, cpu);
  const all = (await linux.processes()).filter(({ root }) => root !== null);
  return {
    running,
    processes: all.map((each) => ({ ...each, context: () => linux.contextOf(each) })),
  };
}

async function runningText(linux: LinuxProcesses, cpu: number): Promise<string> {
  const task = (await linux.runningTasks(cpu + 1)).at(cpu);
  return task ? `vCPU ${cpu} runs ${named(task)}; ` : "";
}

function holdersText(holders: readonly { pid: number; comm: string }[]): string {
  if (holders.length === 0) return "No process maps a page there now";
  const some = holders.slice(0, MAX_NAMED).map((process) =>
    `${named(process)}: --pid ${process.pid}`
  );
  const more = holders.length > MAX_NAMED ? `, and ${holders.length - MAX_NAMED} more` : "";
  return `The address is mapped in ${some.join(", ")}${more}`;
}

function named({ pid, comm }: { pid: number; comm: string }): string {
  return `pid ${pid} ${escapeText(comm)}`;
}
