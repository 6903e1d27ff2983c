import { qemuAvailable, qemuPath } from "../../src/testing/qemu_process.ts";
import { buildLab, type LabBuild } from "./build.ts";
import { exists } from "./cache.ts";
import { LabError } from "./errors.ts";
import { LabGuest } from "./guest.ts";
import {
  LAB_PRESETS,
  type LabMachine,
  type LabPreset,
  type LabPresetName,
  machineFor,
} from "./presets.ts";
import { type Progress, silent } from "./progress.ts";
import { qemuArguments, SERIAL_PORTS, serialSocket } from "./qemu_arguments.ts";
import { type LabQemu, QemuProcess } from "./qemu_process.ts";
import { type LabSnapshot, LabSnapshots, resumeArguments, untilResumed } from "./snapshot.ts";
import { SerialLine } from "./serial_line.ts";
import { requireTools } from "./tools.ts";

/** Options of {@linkcode startLab}. */
export interface StartLabOptions {
  /** TCP port of the human monitor. @default a free one */
  monitorPort?: number;
  /** TCP port of the gdbstub. @default a free one */
  gdbPort?: number;
  /** Keep the guest's RAM in a file (`LabGuest.ramFile`). @default false */
  ramFile?: boolean;
  /** More arguments for QEMU. `{folder}` in them stands for the guest's folder. @default none */
  qemuArguments?: readonly string[];
  /** What runs QEMU with its arguments. @default this process */
  run?: (args: readonly string[]) => LabQemu | Promise<LabQemu>;
  /** How long the guest may take until its target is ready. @default 600_000 */
  bootTimeoutMs?: number;
  /** Ask the archive for newer packages. @default false */
  refresh?: boolean;
  /** Told of each step that takes time. @default says nothing */
  progress?: Progress;
  /** Gives the start up; it then fails with the signal's reason. @default never */
  signal?: AbortSignal;
}

/** A TCP port on 127.0.0.1 that nobody listens on now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * Builds a lab guest, unless that was done before, starts it, and waits until its target is ready.
 *
 * @throws {LabUnavailableError} if a tool or a package cannot be had.
 * @throws {LabError} if the guest does not come up.
 */
export async function startLab(
  preset: LabPresetName | LabPreset,
  options: StartLabOptions = {},
): Promise<LabGuest> {
  const { progress = silent, refresh = false } = options;
  const chosen: LabPreset = typeof preset === "string" ? LAB_PRESETS[preset] : preset;
  await requireTools(["qemu-system-x86_64", "setpriv"]);
  const build = await buildLab(chosen.kernel, { progress, refresh });
  options.signal?.throwIfAborted();
  const snapshots = typeof preset === "string" ? LabSnapshots.open() : null;
  // What runs QEMU itself, or changes the machine, gets a guest of its own.
  if (snapshots === null || options.run || options.qemuArguments?.some(changesMachine)) {
    return await start(chosen, build, options);
  }
  const kind = [preset as string, qemuPath(), build.initramfs];
  const ready = await snapshots.get(kind, () => start(chosen, build, options));
  return ready instanceof LabGuest ? ready : await start(chosen, build, options, ready);
}

/** Whether an argument is none of those that a saved guest may be resumed with. */
function changesMachine(argument: string): boolean {
  return argument.startsWith("-") && !["-monitor", "-qmp", "-action"].includes(argument);
}

/** Starts QEMU. Another process may take a free port before QEMU does: then others are tried. */
async function start(
  preset: LabPreset,
  build: LabBuild,
  options: StartLabOptions,
  snapshot: LabSnapshot | null = null,
): Promise<LabGuest> {
  options.progress?.(`starting Linux ${build.release}`);
  const attempts = options.monitorPort === undefined && options.gdbPort === undefined ? 3 : 1;
  for (let attempt = 1;; attempt++) {
    try {
      return await boot(preset, build, options, snapshot);
    } catch (error) {
      if (attempt === attempts || !/Address already in use/.test(String(error))) throw error;
    }
  }
}

async function boot(
  preset: LabPreset,
  build: LabBuild,
  options: StartLabOptions,
  snapshot: LabSnapshot | null,
): Promise<LabGuest> {
  const { monitorPort = freePort(), gdbPort = freePort(), bootTimeoutMs = 600_000 } = options;
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-lab-" });
  const ramFile = options.ramFile ? `${folder}/ram` : undefined;
  const ports: SerialLine[] = [];
  const args = qemuArguments(build, namedFor(await qemuMajor(), machineFor(preset)), {
    monitorPort,
    gdbPort,
    folder,
    ramFile,
    extra: [
      ...options.qemuArguments?.map((argument) => argument.replaceAll("{folder}", folder)) ?? [],
      ...snapshot ? resumeArguments(snapshot) : [],
    ],
  });
  const { run = QemuProcess.start } = options;
  let qemu: LabQemu;
  try {
    qemu = await run(args);
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
  function stop(): void {
    qemu.kill();
  }
  options.signal?.addEventListener("abort", stop);
  try {
    for (const name of SERIAL_PORTS) {
      const port = await connect(qemu, serialSocket(folder, name), bootTimeoutMs);
      port.lines.push(...snapshot?.said[name] ?? []);
      ports.push(port);
    }
    if (snapshot) {
      await untilResumed(monitorPort, bootTimeoutMs).catch(async (error) => {
        // A QEMU that gives up loses its monitor first; what it said is the cause.
        await Promise.race([qemu.ended, new Promise((resolve) => setTimeout(resolve, 1000))]);
        await qemu.assertRunning();
        throw error;
      });
    }
    const [console, target, shell] = ports as [SerialLine, SerialLine, SerialLine];
    await target.until((line) => line === "READY", {
      from: 0,
      timeoutMs: bootTimeoutMs,
      purpose: "waiting for the guest's target",
    }).catch(async (error: Error) => {
      await qemu.assertRunning();
      const last = console.text.trim().split("\n").slice(-3).join(" | ");
      throw new LabError(`${error.message}; the console's last lines: ${last || "none"}`);
    });
    const parts = { preset, build, qemu, console, target, shell };
    return new LabGuest({ ...parts, monitorPort, gdbPort, folder, ramFile });
  } catch (error) {
    await qemu[Symbol.asyncDispose]();
    for (const port of ports) await port[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

/** The names that QEMU 11.1 has given what is no longer experimental. */
const RENAMED = { "x-scalable-mode": "scalable-mode", "x-flts": "fsts" } as const;

/** The machine with the names that this QEMU has for the properties of its IOMMU. */
function namedFor(major: number, machine: LabMachine): LabMachine {
  if (major < 11) return machine;
  const iommu = Object.entries(RENAMED).reduce(
    (text, [old, name]) => text.replace(old, name),
    machine.iommu,
  );
  return { ...machine, iommu };
}

/** The major version of the QEMU that guests are started with. */
async function qemuMajor(): Promise<number> {
  return parseInt((await qemuAvailable())?.version ?? "0");
}

/** Connects as soon as QEMU has made the socket: what comes before that is lost. */
async function connect(qemu: LabQemu, path: string, timeoutMs: number): Promise<SerialLine> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    await qemu.assertRunning();
    if (await exists(path)) {
      try {
        return await SerialLine.connect(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
    }
    if (Date.now() > deadline) throw new LabError(`QEMU made no socket ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
