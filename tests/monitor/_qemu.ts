import { type QemuProcess, startQemu } from "../../src/testing/qemu_process.ts";

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
  readonly #process: QemuProcess;
  readonly #folder: string;

  private constructor(
    process: QemuProcess,
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
    const process = await startQemu([
      ...["-M", "pc", "-m", "64", "-smp", "2", "-display", "none", "-nodefaults", ...extra],
      ...["-device", `loader,file=${folder}/block,addr=0x200000,force-raw=on`],
      ...["-monitor", `tcp:${tcp},server,nowait`],
      ...["-monitor", `telnet:${telnet},server,nowait`],
      ...["-qmp", `tcp:${qmp},server,nowait`],
      ...["-monitor", `unix:${unix},server,nowait`],
      ...["-gdb", `tcp:${gdb}`],
    ]);
    const endpoints = { tcp, telnet: `telnet:${telnet}`, unix: `unix:${unix}`, qmp, gdb };
    // Monitors open in the order of the options, so with the socket's file the others are there.
    for (let i = 0; i < 30_000 && !await exists(unix); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return new LiveQemu(process, folder, endpoints as LiveEndpoints, block);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
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
