import { dirname } from "node:path";
import { buildLab, LAB_KERNELS, LabError } from "../lab/mod.ts";
import { exists } from "../lab/cache.ts";
import { characterDevice, fileEntry, folderEntry, packInitramfs } from "../lab/initramfs.ts";
import { buildProgram } from "../lab/programs.ts";
import { QemuProcess } from "../lab/qemu_process.ts";
import { SerialLine } from "../lab/serial_line.ts";
import { requireTools, runTool } from "../lab/tools.ts";
import type { FetchedKernel } from "./debian_kernels.ts";

/** What a guest's machine and kernel are set to. */
export interface KernelSettings {
  /** Five levels instead of four. */
  la57: boolean;
  /** Page-table isolation, with two processors. */
  pti: boolean;
  /** Whether the kernel is moved at boot. */
  kaslr: boolean;
  /** Memory in MiB. */
  memoryMib: number;
}

const GUEST = new URL("./guest/", import.meta.url).pathname;
/** What it has of the lab's programs. */
const LAB_PROGRAMS = ["states", "container"] as const;
const BOOT_TIMEOUT_MS = 300_000;
const ANSWER_TIMEOUT_MS = 180_000;

/**
 * A guest that needs nothing of its kernel but the image: busybox, a program with memory areas of
 * every kind, and a shell to ask. The lab's module does not build for every kernel; this guest boots
 * with any of Debian's. Disposing of it ends QEMU.
 */
export class KernelGuest implements AsyncDisposable {
  readonly #qemu: QemuProcess;
  readonly #line: SerialLine;
  readonly #folder: string;

  private constructor(qemu: QemuProcess, line: SerialLine, folder: string) {
    this.#qemu = qemu;
    this.#line = line;
    this.#folder = folder;
  }

  /** Boots a kernel and waits for its shell. @throws {LabError} if it does not come up */
  static async start(kernel: FetchedKernel, settings: KernelSettings): Promise<KernelGuest> {
    await requireTools(["gcc", "qemu-system-x86_64", "setpriv"]);
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-kernel-" });
    const stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    try {
      await writeInitramfs(folder, kernel);
      const qemu = stack.use(QemuProcess.start(qemuArguments(kernel, settings, folder)));
      const line = stack.use(await connect(qemu, `${folder}/shell.sock`));
      await line.until((text) => text === "READY", {
        from: 0,
        timeoutMs: BOOT_TIMEOUT_MS,
        purpose: `waiting for the shell on Linux ${kernel.release}`,
      }).catch(async (error: Error) => {
        const said = (await Deno.readTextFile(`${folder}/console`)).trim().split("\n").slice(-8);
        throw new LabError(`${error.message}; the console's last lines: ${said.join(" | ")}`);
      });
      stack.move();
      return new KernelGuest(qemu, line, folder);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** Path of the human monitor's socket. */
  get monitorPath(): string {
    return `${this.#folder}/monitor.sock`;
  }

  /** Runs one line in the guest's shell and answers what it wrote, standard error included. */
  async shell(command: string): Promise<string> {
    const from = this.#line.lines.length;
    await this.#line.send(command);
    await this.#line.send("echo; echo GUEST-END");
    const lines = await this.#line.until((line) => line === "GUEST-END", {
      from,
      timeoutMs: ANSWER_TIMEOUT_MS,
      purpose: `the guest's shell running "${command}"`,
    });
    return lines.slice(0, -1).join("\n").trimEnd();
  }

  /** Ends the guest and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#qemu[Symbol.asyncDispose]();
    await this.#line[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Busybox and the headers for programs are those of the lab's own guest. */
async function writeInitramfs(folder: string, { overlay }: FetchedKernel): Promise<void> {
  const parts = dirname((await buildLab(LAB_KERNELS["cloud-amd64"])).kernel);
  const headers = `${dirname(parts)}/headers`;
  const include = `${headers}/usr/include`;
  for (const name of LAB_PROGRAMS) {
    await buildProgram(name, { architecture: "amd64", headers, folder });
  }
  await runTool("gcc", [
    ..."-O1 -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-stack-protector".split(" "),
    ..."-fno-asynchronous-unwind-tables -fno-pie -no-pie -nostdlib -static -s".split(" "),
    ...["-isystem", include, "-isystem", `${include}/x86_64-linux-gnu`],
    ...["-o", `${folder}/areas`, `${GUEST}areas.c`],
  ], { purpose: "building the guest's program areas" });
  const archive = packInitramfs([
    ...["bin", "dev"].map(folderEntry),
    characterDevice("dev/console", 5, 1),
    fileEntry("init", await Deno.readTextFile(`${GUEST}init`)),
    fileEntry("bin/busybox", await Deno.readFile(`${parts}/busybox`)),
    fileEntry("bin/areas", await Deno.readFile(`${folder}/areas`)),
    ...await Promise.all(
      LAB_PROGRAMS.map(async (name) =>
        fileEntry(`bin/${name}`, await Deno.readFile(`${folder}/${name}`))
      ),
    ),
    ...overlay === null ? [] : [fileEntry("overlay.ko", await Deno.readFile(overlay))],
  ]);
  await Deno.writeFile(`${folder}/initramfs`, archive);
}

function qemuArguments(kernel: FetchedKernel, settings: KernelSettings, folder: string): string[] {
  const { kaslr, la57, memoryMib, pti } = settings;
  const append = [
    // See the lab's own words: a loaded host makes Linux panic without no_timer_check.
    "console=ttyS0 panic=-1 no_timer_check quiet loglevel=4 log_buf_len=1M cryptomgr.notests",
    pti ? "pti=on" : "pti=off",
    kaslr ? "" : "nokaslr",
  ].join(" ");
  const socket = (name: string) => `path=${folder}/${name}.sock,server=on,wait=off`;
  return [
    ...["-M", "q35", "-accel", "tcg", "-cpu", la57 ? "max" : "max,la57=off"],
    ...["-smp", pti ? "2" : "1", "-m", `${memoryMib}M`],
    ...["-kernel", kernel.image, "-initrd", `${folder}/initramfs`, "-append", append],
    ...["-display", "none", "-nic", "none", "-no-reboot"],
    ...["-serial", `file:${folder}/console`],
    ...["-chardev", `socket,id=shell,${socket("shell")}`, "-serial", "chardev:shell"],
    ...["-monitor", `unix:${folder}/monitor.sock,server=on,wait=off`],
  ];
}

/** Connects as soon as QEMU has made the socket: what comes before that is lost. */
async function connect(qemu: QemuProcess, path: string): Promise<SerialLine> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  while (Date.now() < deadline) {
    await qemu.assertRunning();
    if (await exists(path)) {
      try {
        return await SerialLine.connect(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new LabError(`QEMU made no socket ${path}`);
}
