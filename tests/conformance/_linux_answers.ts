import { assertGreater } from "@std/assert";
import { formatAddress, type Session } from "../../mod.ts";
import { logText, toJson } from "../../src/report/mod.ts";
import type { Answers } from "./_answers.ts";

/** Symbols that every kernel has: code, data, read-only data and bss. */
const SYMBOLS = ["_stext", "init_task", "jiffies", "linux_banner", "idt_table", "no_such_symbol"];

/** What a Linux guest says of what stands still in it: some processes, and one of them at length. */
export async function linuxAnswers(
  session: Session,
  comm: string,
  lasting: ReadonlySet<number>,
): Promise<Answers> {
  const linux = await session.linux();
  const listed = await linux.processes();
  const users = listed.filter(({ pid }) => lasting.has(pid)).sort((a, b) => a.pid - b.pid);
  const process = await linux.process(comm);
  const areas = await linux.vmas(process);
  assertGreater(areas.length, 10);
  const symbols = await Promise.all(SYMBOLS.map((name) => linux.symbol(name)));
  const layout = await linux.type("list_head");
  return {
    kernel: [linux.version, `${linux.buildId}`, formatAddress(linux.text)],
    processes: users.map(({ pid, comm, root, userRoot }) => toJson({ pid, comm, root, userRoot })),
    areas: areas.map((area) => toJson(area)),
    symbols: symbols.map((symbol) => toJson(symbol)),
    types: [toJson(layout)],
    log: (await linux.dmesg()).slice(0, 100).map(logText),
  };
}
