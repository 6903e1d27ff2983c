import type { LinuxProcess } from "../../linux/processes.ts";
import type { Helper } from "../helper.ts";
import { useLinux } from "../linux.ts";
import { groupHex } from "../show/group_hex.ts";
import { asRows } from "../show/rows.ts";

/** `ps()`. */
export const PS: Helper = {
  name: "ps",
  usage: "ps(options?)",
  purpose: "the guest's processes, with the root of each",
  on: "linux",
  notes: [
    "Those with memory of their own; ps({ kernel: true }) has the kernel's threads too. user root: the",
    "table that user code runs on, where KPTI gives it another one. Returns an array.",
  ],
  example: `
> ps()
    PID S root           user root      name
      1 S 0x… 0x… init
…
> ps({ kernel: true }).find(({ pid }) => pid === 2).comm
kthreadd
> ps().filter(({ comm }) => comm === "target")
    PID S root           user root      name
… S 0x… 0x… target
`,
  create: (repl) => ({ kernel = false } = {}) =>
    useLinux(repl.guest, async ({ linux }) => {
      const all = await linux.processes({ signal: repl.signal });
      const listed = all.filter(({ root }) => kernel || root !== null);
      return asRows(listed.sort((a, b) => a.pid - b.pid), { head: () => HEAD, line });
    }),
};

const HEAD = row("PID", "S", "root", "user root", "name");

function line({ pid, state, root, userRoot, comm, isKernelThread, threads }: LinuxProcess): string {
  const name = isKernelThread ? `[${comm}]` : comm;
  const more = threads.length > 1 ? ` (${threads.length} threads)` : "";
  const address = (value: bigint | null) => value === null ? "-" : groupHex(value);
  return row(String(pid), state, address(root), address(userRoot), `${name}${more}`);
}

function row(pid: string, state: string, root: string, userRoot: string, name: string): string {
  return `${pid.padStart(7)} ${state} ${root.padEnd(14)} ${userRoot.padEnd(14)} ${name}`;
}
