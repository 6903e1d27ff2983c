import {
  connect,
  connectHmp,
  type ConnectOptions,
  type Monitor,
  readAllRegisters,
  readStatus,
  type Session,
} from "../../mod.ts";
import { type RunningBareGuest, startBareGuest } from "../../src/testing/mod.ts";
import type { SocketAddress } from "./_fault_proxy.ts";

/** A kind of socket of QEMU's that pagewalk can go in by. */
export interface SocketConnector {
  readonly name: string;
  /** QEMU's option that opens it, which also names its language. */
  readonly option: "monitor" | "qmp" | "gdb";
  /** What is written before the address, for QEMU. */
  readonly scheme: "tcp" | "telnet" | "unix";
}

/** Every kind of socket. */
export const SOCKET_CONNECTORS: readonly SocketConnector[] = [
  { name: "HMP over TCP", option: "monitor", scheme: "tcp" },
  { name: "HMP over telnet", option: "monitor", scheme: "telnet" },
  { name: "HMP over a Unix socket", option: "monitor", scheme: "unix" },
  { name: "QMP over TCP", option: "qmp", scheme: "tcp" },
  { name: "QMP over a Unix socket", option: "qmp", scheme: "unix" },
  { name: "gdbstub over TCP", option: "gdb", scheme: "tcp" },
  { name: "gdbstub over a Unix socket", option: "gdb", scheme: "unix" },
];

/** A running bare guest with one connector under test, and a monitor aside to watch it by. */
export interface GuestBehindConnector extends AsyncDisposable {
  readonly guest: RunningBareGuest;
  /** Where QEMU listens. */
  readonly address: SocketAddress;
  /** A monitor of its own. */
  readonly watch: Monitor;
  /** Waits until the guest runs, and fails if it was left paused. */
  requireRunning(after: string): Promise<void>;
}

/** Starts a guest with the connector open. */
export async function startBehind(connector: SocketConnector): Promise<GuestBehindConnector> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-connector-" });
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  const address = connector.scheme === "unix"
    ? { path: `${folder}/connector` }
    : { port: freePort() };
  const where = "path" in address ? address.path : `127.0.0.1:${address.port}`;
  const guest = cleanup.use(
    await startBareGuest("4-level", {
      monitorSocket: true,
      memoryFile: true,
      extraArgs: [`-${connector.option}`, `${connector.scheme}:${where},server=on,wait=off`],
    }),
  );
  const watch = cleanup.use(await connectHmp(`unix:${guest.monitorSocket}`));
  await untilHalted(watch);
  const owned = cleanup.move();
  return {
    guest,
    address,
    watch,
    async requireRunning(after) {
      for (let tries = 0; tries < 15_000; tries++) {
        if ((await readStatus(watch)).running) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`the guest was left paused after ${after}`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A guest says that it is ready an instruction or two before it halts; until then RIP moves. */
async function untilHalted(watch: Monitor): Promise<void> {
  for (let tries = 0; tries < 30_000; tries++) {
    if ((await readAllRegisters(watch)).every(({ halted }) => halted)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the guest does not halt");
}

/** Goes in by a connector at an address: QEMU's own, or that of a proxy. */
export function openAt(
  { option, scheme }: SocketConnector,
  address: SocketAddress,
  options: ConnectOptions = {},
): Promise<Session> {
  const socket = "path" in address ? `unix:${address.path}` : `127.0.0.1:${address.port}`;
  const prefix = option === "monitor" ? (scheme === "telnet" ? "telnet:" : "") : `${option}:`;
  return connect(prefix + socket, options);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
