import { type QemuProcess, QemuStartError, startQemu } from "../qemu_process.ts";
import {
  type BareGuest,
  bareGuest,
  type BareGuestMode,
  type BareGuestOptions,
} from "./bare_guest.ts";

/** How the bare guest is run. What is not asked for is not opened, apart from the TCP monitor. */
export interface StartBareGuestOptions extends BareGuestOptions {
  /**
   * QEMU's path.
   *
   * @default the variable PAGEWALK_QEMU if it may be read, else `qemu-system-x86_64` on PATH
   */
  binary?: string;
  /**
   * QEMU's machine type.
   *
   * @default {"pc"}
   */
  machine?: "pc" | "q35";
  /**
   * The TCP port of the monitor, on 127.0.0.1.
   *
   * @default a free one
   */
  monitorPort?: number;
  /**
   * Opens a monitor on a Unix socket as well.
   *
   * @default {false}
   */
  monitorSocket?: boolean;
  /**
   * Opens a monitor that speaks telnet on a free TCP port as well.
   *
   * @default {false}
   */
  telnet?: boolean;
  /**
   * Opens QMP on a free TCP port.
   *
   * @default {false}
   */
  qmp?: boolean;
  /**
   * Opens QMP on a Unix socket.
   *
   * @default {false}
   */
  qmpSocket?: boolean;
  /**
   * Opens the gdb server on a free TCP port.
   *
   * @default {false}
   */
  gdb?: boolean;
  /**
   * Backs the guest's RAM by a shared file.
   *
   * @default {false}
   */
  memoryFile?: boolean;
  /** More of QEMU's arguments, at the end. */
  extraArgs?: readonly string[];
  /**
   * Milliseconds until the guest must be up. If the CPU lacks the mode, it never is: on QEMU 7.2 a
   * bit that CR4 does not have makes the vCPU spin instead of fault.
   *
   * @default {60_000}
   */
  timeoutMs?: number;
}

/** The bare guest on a running QEMU. Disposing of it ends QEMU and removes its files. */
export interface RunningBareGuest extends AsyncDisposable {
  /** What was booted, and what must be found. */
  guest: BareGuest;
  /** The QEMU that runs it. */
  process: QemuProcess;
  /** Milliseconds from QEMU's start until the last vCPU was ready. */
  bootMs: number;
  /** The TCP port of its monitor on 127.0.0.1. */
  monitorPort: number;
  /** The path of the monitor's Unix socket, if it was asked for. */
  monitorSocket: string | null;
  /** The TCP port of the telnet monitor on 127.0.0.1, if it was asked for. */
  telnetPort: number | null;
  /** The port of QMP on 127.0.0.1, if it was asked for. */
  qmpPort: number | null;
  /** The path of QMP's Unix socket, if it was asked for. */
  qmpSocket: string | null;
  /** The port of the gdb server on 127.0.0.1, if it was asked for. */
  gdbPort: number | null;
  /** The path of the file that is the guest's RAM, if it was asked for. */
  memoryFile: string | null;
}

const PORT_TRIES = 3;

/**
 * Boots the bare guest on a real QEMU and returns once every vCPU has set up its paging. Needs
 * `--allow-run`, `--allow-net=127.0.0.1`, `--allow-read` and `--allow-write`.
 *
 * @throws {QemuStartError} if QEMU is missing, refuses, or the guest is not up in time
 *
 * @example Usage
 * ```ts
 * import { qemuAvailable, startBareGuest } from "@pagewalk/pagewalk/testing";
 * import { assert } from "@std/assert";
 *
 * if (await qemuAvailable()) {
 *   await using running = await startBareGuest("5-level");
 *   assert(running.monitorPort > 0); // connect to it, and expect running.guest.vcpus
 * }
 * ```
 */
export async function startBareGuest(
  mode: BareGuestMode,
  options: StartBareGuestOptions = {},
): Promise<RunningBareGuest> {
  const guest = bareGuest(mode, options);
  for (let tries = 1;; tries++) {
    try {
      return await boot(guest, options);
    } catch (error) {
      // Between the moment a port was found free and QEMU's start, somebody else may take it.
      const taken = error instanceof QemuStartError && /Address already in use/.test(error.stderr);
      if (!taken || options.monitorPort !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}

async function boot(guest: BareGuest, options: StartBareGuestOptions): Promise<RunningBareGuest> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "pagewalk-bare-guest-" });
  cleanup.defer(() => Deno.remove(directory, { recursive: true }));
  const paths = guest.images.map(({ name }) => `${directory}/${name}`);
  await Promise.all(guest.images.map(({ bytes }, i) => Deno.writeFile(paths[i]!, bytes)));

  const [monitor, telnet, qmp, gdb] = freePorts(4) as [number, number, number, number];
  const monitorPort = options.monitorPort ?? monitor;
  const qmpPort = options.qmp ? qmp : null;
  const telnetPort = options.telnet ? telnet : null;
  const gdbPort = options.gdb ? gdb : null;
  const monitorSocket = options.monitorSocket ? `${directory}/monitor.sock` : null;
  const qmpSocket = options.qmpSocket ? `${directory}/qmp.sock` : null;
  const memoryFile = options.memoryFile ? `${directory}/ram` : null;
  const { machine = "pc", binary, timeoutMs } = options;
  const args = [
    ...guest.qemuArgs(paths, { machine, ...(memoryFile ? { memoryFile } : {}) }),
    // Port 0xe9 of the guest is QEMU's standard output: that is how it says that it is ready.
    ...["-debugcon", "stdio"],
    ...["-monitor", `tcp:127.0.0.1:${monitorPort},server=on,wait=off`],
    ...(monitorSocket ? ["-monitor", `unix:${monitorSocket},server=on,wait=off`] : []),
    ...(telnetPort ? ["-monitor", `telnet:127.0.0.1:${telnetPort},server=on,wait=off`] : []),
    ...(qmpPort ? ["-qmp", `tcp:127.0.0.1:${qmpPort},server=on,wait=off`] : []),
    ...(qmpSocket ? ["-qmp", `unix:${qmpSocket},server=on,wait=off`] : []),
    ...(gdbPort ? ["-gdb", `tcp:127.0.0.1:${gdbPort}`] : []),
    ...(options.extraArgs ?? []),
  ];

  const from = performance.now();
  const process = await startQemu(args, {
    readyBytes: guest.readyBytes,
    ...(binary === undefined ? {} : { binary }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const bootMs = performance.now() - from;
  cleanup.use(process);
  const owned = cleanup.move();
  return {
    ...{ guest, process, bootMs, monitorPort, monitorSocket, telnetPort },
    ...{ qmpPort, qmpSocket, gdbPort, memoryFile },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Different ports that are free right now. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}
