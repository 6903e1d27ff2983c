import { BOOLEAN, checkOptions, type OptionShape } from "../../core/options.ts";
import { processesHead, processLine } from "../../report/processes_text.ts";
import type { Helper } from "../helper.ts";
import { useLinux } from "../linux.ts";
import { GROUPED } from "../show/group_hex.ts";
import { asRows } from "../show/rows.ts";
import { elfProcessesHead, elfProcessLine } from "../../report/elf_processes_text.ts";

/** Which processes are listed. */
interface PsOptions {
  /** The kernel's threads too. */
  readonly kernel?: boolean;
}

const PS_SHAPE: OptionShape<PsOptions> = { kernel: BOOLEAN };

/** `ps()`. */
export const PS: Helper = {
  name: "ps",
  usage: "ps(options?)",
  purpose: "the guest's processes, with the root of each",
  on: "linux",
  notes: [
    "Those with memory of their own; ps({ kernel: true }) has the kernel's threads too. user root: the",
    "table that user code runs on, where KPTI gives it another one. Returns an array. After",
    "connect(…, { kernel }) those of xv6, or of a kernel like it.",
  ],
  example: `
> ps()
    PID S ROOT            USER ROOT       NAME
      1 S 0x… 0x… init
…
> ps({ kernel: true }).find(({ pid }) => pid === 2).comm
kthreadd
> ps().filter(({ comm }) => comm === "target")
    PID S ROOT            USER ROOT       NAME
… S 0x… 0x… target
`,
  create: (repl) => (options: PsOptions = {}) => {
    checkOptions(options, "the options of ps", PS_SHAPE);
    const { kernel = false } = options;
    const { guest, signal } = repl;
    if (guest.current?.kernelPath) {
      return guest.use(async (session) =>
        asRows(await (await session.elfKernel()).processes({ signal }), {
          head: () => elfProcessesHead(GROUPED),
          line: (process) => elfProcessLine(process, GROUPED),
        })
      );
    }
    return useLinux(guest, async ({ linux }) => {
      const all = await linux.processes({ signal });
      const listed = all.filter(({ root }) => kernel || root !== null);
      return asRows(listed.sort((a, b) => a.pid - b.pid), {
        head: () => processesHead(GROUPED),
        line: (process) => processLine(process, GROUPED),
      });
    });
  },
};
