import { LabError } from "../../lab/errors.ts";
import {
  type LabFact,
  type PagemapEntry,
  parseFacts,
  parsePagemap,
} from "../../lab/guest_lines.ts";
import { exists, removeTree } from "../../lab/cache.ts";
import { SerialLine } from "../../lab/serial_line.ts";
import { freePort, QEMU_64 } from "../_qemu.ts";
import { buildRiscvLab } from "./build.ts";

const BOOT_TIMEOUT_MS = 300_000;
const ANSWER_TIMEOUT_MS = 120_000;

/** A mode of Linux's tables, and the word that makes it choose no larger one. */
const APPEND = { Sv39: "no4lvl", Sv48: "no5lvl", Sv57: "" } as const;

/** How a RISC-V guest translates. */
export type LabMode = keyof typeof APPEND;

/** Debian's Linux on a RISC-V machine of QEMU, with the facts that a program in it tells of itself. */
export class RiscvLabGuest implements AsyncDisposable {
  readonly #qemu: Deno.ChildProcess;
  readonly #line: SerialLine;
  readonly #folder: string;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    qemu: Deno.ChildProcess,
    line: SerialLine,
    folder: string,
    /** TCP port of the human monitor, on 127.0.0.1. */
    readonly monitorPort: number,
    /** The kernel's release. */
    readonly release: string,
  ) {
    this.#qemu = qemu;
    this.#line = line;
    this.#folder = folder;
  }

  /** Builds it, unless that was done, starts it and waits until its programs are ready. */
  static async start(mode: LabMode): Promise<RiscvLabGuest> {
    const build = await buildRiscvLab();
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-riscv-lab-" });
    const monitorPort = freePort();
    const qemu = new Deno.Command("setpriv", {
      args: [
        ...["--pdeathsig", "TERM", QEMU_64, "-M", "virt", "-cpu", "rv64,svnapot=on", "-m", "512M"],
        ...["-display", "none", "-no-reboot", "-kernel", build.kernel, "-initrd", build.initramfs],
        ...["-append", `console=ttyS0 loglevel=1 ${APPEND[mode]}`],
        ...["-serial", `unix:${folder}/serial,server=on,wait=on`],
        ...["-monitor", `tcp:127.0.0.1:${monitorPort},server=on,wait=off`],
      ],
      ...{ stdin: "null", stdout: "null", stderr: "inherit" },
    }).spawn();
    try {
      const line = await connect(`${folder}/serial`);
      await line.until((text) => text === "LAB-READY", {
        ...{ from: 0, timeoutMs: BOOT_TIMEOUT_MS, purpose: "waiting for the guest" },
      });
      return new RiscvLabGuest(qemu, line, folder, monitorPort, build.release);
    } catch (error) {
      await end(qemu, folder);
      throw error;
    }
  }

  /** Runs one line in the guest's shell and answers what it wrote. */
  shell(command: string): Promise<string> {
    const answer = this.#last.then(async () => {
      const from = this.#line.lines.length;
      await this.#line.send(command);
      await this.#line.send("echo; echo LAB-END");
      const lines = await this.#line.until((text) => text === "LAB-END", {
        ...{ from, timeoutMs: ANSWER_TIMEOUT_MS, purpose: `the shell running "${command}"` },
      });
      return lines.slice(0, -1).join("\n").trimEnd();
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** What the program says of its memory, and what its pagemap does. */
  async facts(): Promise<{ facts: LabFact[]; pagemap: PagemapEntry[] }> {
    const lines = (await this.shell("cat /tmp/facts")).split("\n");
    return { facts: parseFacts(lines), pagemap: parsePagemap(lines) };
  }

  /** The pids of the program with the facts, or of those that spin. */
  async pids(which: "facts" | "spin"): Promise<number[]> {
    return (await this.shell(`cat /tmp/${which}.pid`)).split("\n").map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#qemu, this.#folder);
    await this.#line[Symbol.asyncDispose]();
  }
}

async function end(qemu: Deno.ChildProcess, folder: string): Promise<void> {
  qemu.kill("SIGKILL");
  await qemu.status;
  await removeTree(folder);
}

/** QEMU waits for the connection, so that nothing is lost. */
async function connect(path: string): Promise<SerialLine> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  while (!await exists(path)) {
    if (Date.now() > deadline) throw new LabError(`QEMU made no socket ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return await SerialLine.connect(path);
}
