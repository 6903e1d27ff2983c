import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseSocket } from "../../src/monitor/endpoint.ts";
import { ConnectError, type ConnectFailure } from "../../src/monitor/errors.ts";
import { connectSocket, type ConnectSocketOptions } from "../../src/monitor/socket_transport.ts";

async function failing(
  failure: ConnectFailure,
  endpoint: string,
  message: string,
  options?: ConnectSocketOptions,
): Promise<ConnectError> {
  const error = await assertRejects(
    () => connectSocket(parseSocket(endpoint, ""), options),
    ConnectError,
    message,
  );
  assertEquals([error.failure, error.endpoint, error.command], [failure, endpoint, null]);
  assert(!error.message.includes("\n"));
  return error;
}

function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("connectSocket() says what to do when a connection is refused", async () => {
  const port = closedPort();
  await failing(
    "refused",
    `127.0.0.1:${port}`,
    `-monitor tcp:127.0.0.1:${port},server=on,wait=off`,
  );
  await failing("refused", `telnet:127.0.0.1:${port}`, `-monitor telnet:127.0.0.1:${port},server`);
  await failing("refused", `127.0.0.1:${port}`, "the debug port + 100");
});

Deno.test("connectSocket() says that a host is not known", async () => {
  await failing(
    "hostNotFound",
    "no-such-host.invalid:1334",
    "Host not found: no-such-host.invalid",
  );
});

Deno.test("connectSocket() says that a Unix socket is not there, or no longer served", async () => {
  const folder = await Deno.makeTempDir();
  await failing("noSuchSocket", `unix:${folder}/none`, `-monitor unix:${folder}/none,server=on`);
  await Deno.writeTextFile(`${folder}/file`, "");
  await failing("refused", `unix:${folder}/file`, "refused");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("connectSocket() gives up on a peer that does not answer", async () => {
  // With the queue of a listener that never accepts filled up, the kernel drops further attempts.
  using listener = Deno.listen(
    { hostname: "127.0.0.1", port: 0, tcpBacklog: 1 } as Deno.TcpListenOptions,
  );
  const endpoint = `127.0.0.1:${listener.addr.port}`;
  const filling: Disposable[] = [];
  try {
    for (let i = 0; i < 16; i++) {
      const { port } = listener.addr;
      filling.push(await Deno.connect({ port, signal: AbortSignal.timeout(200) }));
    }
  } catch (error) {
    assert(error instanceof DOMException && error.name === "TimeoutError");
  }
  await failing("timedOut", endpoint, "within 60 ms", { timeoutMs: 60 });
  // A monitor's queue is short: a third client does not even connect.
  await failing("timedOut", endpoint, "do other clients wait there already", { timeoutMs: 60 });
  const signal = AbortSignal.timeout(60);
  await assertRejects(() => connectSocket(parseSocket(endpoint, ""), { signal }), DOMException);
  for (const connection of filling) connection[Symbol.dispose]();
});

Deno.test("connectSocket() names QEMU's option and the endpoint of another language", async () => {
  const port = closedPort();
  const socket = { scheme: "tcp", host: "127.0.0.1", port } as const;
  const error = await assertRejects(
    () => connectSocket(socket, { name: `qmp:127.0.0.1:${port}`, qemuOption: "qmp" }),
    ConnectError,
    `-qmp tcp:127.0.0.1:${port},server=on,wait=off`,
  );
  assertEquals(error.endpoint, `qmp:127.0.0.1:${port}`);
  assert(!error.message.includes("debug port"));
});

Deno.test("a transport reads what arrives, then null once either side has closed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = parseSocket(`127.0.0.1:${listener.addr.port}`, "");
  const [transport, peer] = await Promise.all([connectSocket(endpoint), listener.accept()]);
  await transport.write(new TextEncoder().encode("hello"));
  const buffer = new Uint8Array(10);
  assertEquals(await peer.read(buffer), 5);
  await peer.write(buffer.subarray(0, 5));
  const first = await transport.read();
  peer.close();
  assertEquals(await transport.read(), null);
  assertEquals(new TextDecoder().decode(first!), "hello");
  transport.close();
  assertEquals(await transport.read(), null);
  transport.close();
});

Deno.test("closing a transport ends a pending read with null", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = parseSocket(`127.0.0.1:${listener.addr.port}`, "");
  const [transport, peer] = await Promise.all([connectSocket(endpoint), listener.accept()]);
  const pending = transport.read();
  transport.close();
  assertEquals(await pending, null);
  peer.close();
});

/** Runs a script that prints the error it gets for the endpoint in a process with just these flags. */
async function messageUnder(flags: string[], endpoint: string): Promise<string> {
  const base = new URL("../../src/monitor/", import.meta.url);
  const code = `
    import { connectSocket } from "${base}socket_transport.ts";
    import { parseSocket } from "${base}endpoint.ts";
    try { (await connectSocket(parseSocket(${
    JSON.stringify(endpoint)
  }, ""))).close(); console.log("connected"); }
    catch (error) { console.log(error.name + ": " + error.message); }`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, code);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-lock", ...flags, file],
    stdin: "null",
  }).output();
  await Deno.remove(file);
  // Whatever there was to say, Deno itself neither asked nor complained.
  assert(!new TextDecoder().decode(stderr).includes("--allow"));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("connectSocket() names the missing permission, and that flag is enough", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `127.0.0.1:${listener.addr.port}`;
  const flag = `--allow-net=${endpoint}`;
  const missing = `ConnectError: No permission to connect to ${endpoint}: run deno with ${flag}`;
  assertEquals(await messageUnder([], endpoint), missing);
  assertEquals(await messageUnder(["--allow-net=127.0.0.1:1"], endpoint), missing);
  assertEquals(await messageUnder(["--allow-net", `--deny-net=${endpoint}`], endpoint), missing);
  assertEquals(await messageUnder([flag], endpoint), "connected");
});

Deno.test("connectSocket() names the permissions of a Unix socket: all three, and no more", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/monitor.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const flags = [`--allow-read=${path}`, `--allow-write=${path}`, `--allow-net=unix:${path}`];
  const missing = `ConnectError: No permission to connect to unix:${path}: run deno with ${
    flags.join(" ")
  }`;
  for (const flag of flags) {
    assertEquals(
      await messageUnder(flags.filter((other) => other !== flag), `unix:${path}`),
      missing,
    );
  }
  assertEquals(await messageUnder(flags, `unix:${path}`), "connected");
  listener.close();
  await Deno.remove(folder, { recursive: true });
});
