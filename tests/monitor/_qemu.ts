const BINARY = "qemu-system-x86_64";

/** QEMU's version, or null if there is none on this machine. */
export async function qemuVersion(): Promise<string | null> {
  try {
    const { stdout } = await new Deno.Command(BINARY, { args: ["--version"] }).output();
    return /version (\d[\d.]*)/.exec(new TextDecoder().decode(stdout))?.[1] ?? null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** A test against a real QEMU: skipped where there is none, but failing there under `CI=true`. */
export async function liveTest(name: string, run: () => Promise<void>): Promise<void> {
  const missing = await qemuVersion() === null;
  const required = Deno.env.get("CI") === "true";
  Deno.test({
    name: missing && !required ? `${name} (skipped: no ${BINARY} on PATH)` : name,
    ignore: missing && !required,
    fn: run,
  });
}

/** Where a running QEMU can be reached. */
export interface LiveEndpoints {
  tcp: string;
  telnet: string;
  unix: string;
  qmp: string;
  gdb: string;
}

/** A QEMU with two vCPUs, 64 MiB and a block of known bytes at 2 MiB, stopped before its first step. */
export class LiveQemu implements AsyncDisposable {
  static readonly blockAddress = 0x20_0000n;
  readonly endpoints: LiveEndpoints;
  readonly block: Uint8Array;
  readonly #process: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(
    process: Deno.ChildProcess,
    folder: string,
    endpoints: LiveEndpoints,
    block: Uint8Array,
  ) {
    this.#process = process;
    this.#folder = folder;
    this.endpoints = endpoints;
    this.block = block;
  }

  static async start(extra: string[] = ["-S"]): Promise<LiveQemu> {
    const folder = await Deno.makeTempDir();
    const block = crypto.getRandomValues(new Uint8Array(64 * 1024));
    await Deno.writeFile(`${folder}/block`, block);
    const [tcp, telnet, qmp, gdb] = freePorts(4).map((port) => `127.0.0.1:${port}`);
    const unix = `${folder}/monitor.sock`;
    const process = new Deno.Command(BINARY, {
      args: [
        ...["-M", "pc", "-m", "64", "-smp", "2", "-display", "none", "-nodefaults", ...extra],
        ...["-device", `loader,file=${folder}/block,addr=0x200000,force-raw=on`],
        ...["-monitor", `tcp:${tcp},server,nowait`],
        ...["-monitor", `telnet:${telnet},server,nowait`],
        ...["-monitor", `unix:${unix},server,nowait`],
        ...["-qmp", `tcp:${qmp},server,nowait`, "-gdb", `tcp:${gdb}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const endpoints = { tcp, telnet: `telnet:${telnet}`, unix: `unix:${unix}`, qmp, gdb };
    const qemu = new LiveQemu(process, folder, endpoints as LiveEndpoints, block);
    // Monitors open in the order of the options, so with the socket's file the others are there.
    for (let i = 0; i < 500 && !await exists(unix); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return qemu;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      // A test may have let it quit.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#process.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
