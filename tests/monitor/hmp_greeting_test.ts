/** What comes before the first command: the greeting of a monitor, or of something else. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  ConnectionLostError,
  MonitorError,
  NoBannerError,
  WrongPeerError,
} from "../../src/monitor/errors.ts";
import { connectHmp, type ConnectHmpOptions } from "../../src/monitor/connect_monitor.ts";
import { bytesOf } from "./_fixtures.ts";
import { BANNER, PROMPT, ScriptServer } from "./_script_server.ts";

function connect(server: ScriptServer, options: ConnectHmpOptions = {}) {
  return connectHmp(server.endpoint, options);
}

function isOneLine(error: Error): void {
  assert(!error.message.includes("\n"), error.message);
}

const FOREIGN: [peer: string, greeting: string][] = [
  ["QMP", '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}\r\n'],
  ["gdbstub", "$T02thread:01;#04"],
  ["gdbstub", "+$#00"],
  ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["SSH", "SSH-2.0-OpenSSH_9.2p1\r\n"],
  ["VNC", "RFB 003.008\n"],
  ["NBD", "NBDMAGICIHAVEOPT"],
  ["unknown", "220 mail.example.org ESMTP\r\n"],
  ["unknown", "login: "],
];

for (const [name, greeting] of FOREIGN) {
  Deno.test(`HmpClient tells ${name} (${JSON.stringify(greeting.slice(0, 12))}) from a monitor, and says nothing to it`, async () => {
    await using server = new ScriptServer(async (peer) => {
      for (const character of greeting) await peer.send(character);
      await peer.untilClosed();
    });
    const error = await assertRejects(
      // What is unknown may still become a banner, until it is late.
      () => connect(server, { bannerTimeoutMs: name === "unknown" ? 2000 : 20_000 }),
      WrongPeerError,
    );
    assertEquals([error.peer, error.endpoint], [name, server.endpoint]);
    isOneLine(error);
    await server[Symbol.asyncDispose]();
    // A gdbstub has paused its guest, and is told to let it run on.
    const goodbye = name === "gdbstub" ? [...bytesOf("+$D#44")] : [];
    assertEquals(server.peers[0]!.received, goodbye);
  });
}

Deno.test("a silent peer is an error that says who may hold the monitor", async () => {
  await using server = new ScriptServer((peer) => peer.untilClosed());
  const error = await assertRejects(() => connect(server, { bannerTimeoutMs: 50 }), NoBannerError);
  assertMatch(error.message, /within 50 ms: another client probably holds the monitor/);
  isOneLine(error);
});

Deno.test("a banner without its prompt is an error too, and so is one without an end", async () => {
  await using stuck = new ScriptServer(async (peer) => {
    await peer.send(BANNER);
    await peer.untilClosed();
  });
  await assertRejects(
    () => connect(stuck, { bannerTimeoutMs: 50 }),
    NoBannerError,
    "sent its banner but no prompt within 50 ms",
  );
  await using endless = new ScriptServer(async (peer) => {
    await peer.send("QEMU " + "a".repeat(5000));
    await peer.untilClosed();
  });
  await assertRejects(() => connect(endless), ConnectionLostError, "the banner has no end");
});

Deno.test("a peer that leaves before its prompt is an error", async () => {
  await using server = new ScriptServer((peer) => peer.send(BANNER));
  await assertRejects(
    () => connect(server),
    ConnectionLostError,
    "before the monitor's first prompt",
  );
});

Deno.test("connecting can be aborted while the banner is awaited", async () => {
  await using server = new ScriptServer((peer) => peer.untilClosed());
  const reason = new Error("enough");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 30);
  await assertRejects(() => connect(server, { signal: controller.signal }), Error, "enough");
  await assertRejects(() => connect(server, { signal: controller.signal }), Error, "enough");
});

Deno.test("a banner and prompt may come in any pieces", async () => {
  await using server = new ScriptServer(async (peer) => {
    for (const character of BANNER + PROMPT) await peer.send(character);
    for (let line = await peer.line(); line !== null; line = await peer.line()) {
      await peer.send(`${line}\r\n`);
      await peer.prompt();
    }
  });
  await using monitor = await connect(server);
  assertEquals(await monitor.command("info a"), "info a");
});

Deno.test("every monitor error is a MonitorError with its endpoint", async () => {
  await using server = new ScriptServer((peer) => peer.untilClosed());
  const error = await assertRejects(() => connect(server, { bannerTimeoutMs: 20 }), MonitorError);
  assertEquals([error.endpoint, error.command, error.name], [
    server.endpoint,
    null,
    "NoBannerError",
  ]);
});
