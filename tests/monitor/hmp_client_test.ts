import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  CommandRefusedError,
  ConnectionLostError,
  NoSuchCpuError,
  ReplyTimeoutError,
  ReplyTooLargeError,
  UnknownCommandError,
} from "../../src/monitor/errors.ts";
import { connectHmp, type ConnectHmpOptions } from "../../src/monitor/connect_monitor.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { HmpClient } from "../../src/monitor/hmp_client.ts";
import { inProcessTransport } from "../../src/testing/fake_monitor_in_process.ts";
import { simulatedGuest } from "../../src/testing/mod.ts";
import { type Peer, ScriptServer } from "./_script_server.ts";

function connect(server: ScriptServer, options: ConnectHmpOptions = {}) {
  return connectHmp(server.endpoint, options);
}

/** Answers `info N` with N, after as many milliseconds as N says if it is a number. */
async function counting(peer: Peer): Promise<void> {
  await peer.serve(async (line) => {
    const argument = line.replace(/^info /, "");
    await delay(Number(argument) || 0);
    return `${argument}\n`;
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isOneLine(error: Error): void {
  assert(!error.message.includes("\n"), error.message);
}

Deno.test("HmpClient reads banner and replies", async () => {
  await using server = new ScriptServer((peer) =>
    peer.serve((line) => `you said ${line}\n\nend\n`)
  );
  await using monitor = await connect(server);
  assertEquals(monitor.qemuVersion, "7.2.22");
  assertEquals(monitor.endpoint, server.endpoint);
  assertEquals(await monitor.command("info status"), "you said info status\n\nend");
  assertEquals(await monitor.command(" help  x "), "you said help  x\n\nend");
});

Deno.test("HmpClient gives each of many overlapping callers its own reply, in order", async () => {
  const seen: string[] = [];
  await using server = new ScriptServer((peer) =>
    peer.serve((line) => {
      seen.push(line);
      return `(qemu) ${line}\n(qemu) `;
    })
  );
  await using monitor = await connect(server);
  const lines = Array.from({ length: 40 }, (_, i) => `info x${i}`);
  const replies = await Promise.all(lines.map((line) => monitor.command(line)));
  assertEquals(replies, lines.map((line) => `(qemu) ${line}\n(qemu) `));
  assertEquals(seen, lines);
});

Deno.test("HmpClient waits on, whenever the output stops right behind a prompt", async () => {
  await using server = new ScriptServer((peer) =>
    peer.serve(async () => {
      await peer.send("name\r\n(qemu) ");
      await delay(100);
      return "more\n";
    })
  );
  await using monitor = await connect(server);
  assertEquals(await monitor.command("info name"), "name\n(qemu) more");
});

Deno.test("HmpClient nudges on TCP, once for each chunk before the end, and not on a Unix socket", async () => {
  const path = await Deno.makeTempDir();
  for (
    const [socket, nudge, expected] of [
      [undefined, undefined, true],
      [undefined, false, false],
      [`${path}/monitor.sock`, undefined, false],
    ] as const
  ) {
    await using server = new ScriptServer((peer) => peer.serve(() => "text\n"), socket);
    const monitor = await connect(server, nudge === undefined ? {} : { nudge });
    await monitor.command("info status");
    await monitor.close();
    const received = server.peers[0]!.received;
    const others = received.filter((byte) => byte !== 0);
    assertEquals(received.length > others.length, expected);
    assertEquals(String.fromCharCode(...others), "info status\n ");
  }
  await Deno.remove(path, { recursive: true });
});

Deno.test("HmpClient understands telnet on a tcp endpoint", async () => {
  await using server = new ScriptServer(async (peer) => {
    for (const byte of [255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0]) {
      await peer.send(Uint8Array.of(byte));
    }
    await counting(peer);
  });
  await using monitor = await connect(server);
  assertEquals(await monitor.command("info a"), "a");
});

Deno.test("HmpClient refuses what is not allowed, and sends nothing of it", async () => {
  await using server = new ScriptServer(counting);
  await using monitor = await connect(server, { allowUnsafe: ["stop"] });
  await assertRejects(() => monitor.command("quit"), CommandRefusedError, "allowUnsafe");
  await assertRejects(() => monitor.command("info mem"), CommandRefusedError, "5-level");
  await assertRejects(() => monitor.command("info a\nquit"), InvalidArgumentError, "printable");
  assertEquals(await monitor.command("stop"), "stop");
  const sent = String.fromCharCode(...server.peers[0]!.received.filter((byte) => byte !== 0));
  assertEquals(sent, "stop\n ");
});

Deno.test("HmpClient turns an unknown command into an error that names QEMU's version", async () => {
  await using server = new ScriptServer((peer) =>
    peer.serve(() => "unknown command: ' info pg'\n")
  );
  await using monitor = await connect(server);
  const error = await assertRejects(
    () => monitor.command("info pg"),
    UnknownCommandError,
    'no monitor command "info pg"',
  );
  assertEquals([error.command, error.qemuVersion], ["info pg", "7.2.22"]);
});

Deno.test("a late reply fails its caller, and the next command gets its own reply", async () => {
  await using server = new ScriptServer(counting);
  await using monitor = await connect(server);
  const late = monitor.command("info 300", { timeoutMs: 50 });
  const next = monitor.command("info next");
  const error = await assertRejects(() => late, ReplyTimeoutError, "within 50 ms");
  assertEquals([error.command, error.timeoutMs], ["info 300", 50]);
  isOneLine(error);
  assertEquals(await next, "next");
});

Deno.test("a command whose turn never comes is late in its own time", async () => {
  await using server = new ScriptServer(counting);
  await using monitor = await connect(server, { commandTimeoutMs: 60 });
  const replies = ["info 500", "info b", "info c"].map((line) => monitor.command(line));
  for (const [i, reply] of replies.entries()) {
    const reason = i === 0 ? "is QEMU stopped" : "an earlier command's reply has not ended";
    await assertRejects(() => reply, ReplyTimeoutError, reason);
  }
  assertEquals(await monitor.command("info d", { timeoutMs: 60_000 }), "d");
  const sent = String.fromCharCode(...server.peers[0]!.received.filter((byte) => byte !== 0));
  assertEquals(sent, "info 500\n info b\n info c\n info d\n ");
});

Deno.test("commands that wait at the same time travel in one packet, within bounds", async () => {
  await using server = new ScriptServer((peer) =>
    peer.serve((line) => `${line}\n(qemu) \nof ${line}\n`)
  );
  await using monitor = await connect(server);
  const lines = Array.from({ length: 40 }, (_, i) => `info ${"x".repeat(i)}${i}`);
  const replies = await Promise.all(lines.map((line) => monitor.command(line)));
  assertEquals(replies, lines.map((line) => `${line}\n(qemu) \nof ${line}`));
  const alone = await Promise.all([monitor.command("info a"), monitor.command("info b")]);
  assertEquals(alone, ["info a\n(qemu) \nof info a", "info b\n(qemu) \nof info b"]);
});

Deno.test("the clock of a queued command starts when its turn comes", async () => {
  await using server = new ScriptServer(counting);
  await using monitor = await connect(server, { commandTimeoutMs: 2000 });
  const lines = ["info 600", "info 601", "info 602", "info 603"];
  assertEquals(
    await Promise.all(lines.map((line) => monitor.command(line))),
    ["600", "601", "602", "603"],
  );
});

Deno.test("an aborted command ends with the signal's reason, wherever it stands", async () => {
  await using server = new ScriptServer(counting);
  await using monitor = await connect(server);
  const reason = new Error("enough");
  const first = new AbortController();
  const third = new AbortController();
  const replies = [
    monitor.command("info 150", { signal: first.signal }),
    monitor.command("info b"),
    monitor.command("info c", { signal: third.signal }),
    monitor.command("info d"),
  ];
  const outcomes = Promise.allSettled(replies);
  await delay(20);
  first.abort(reason);
  third.abort(reason);
  assertEquals(await outcomes, [
    { status: "rejected", reason },
    { status: "fulfilled", value: "b" },
    { status: "rejected", reason },
    { status: "fulfilled", value: "d" },
  ]);
  await assertRejects(() => monitor.command("info e", { signal: first.signal }), Error, "enough");
  const sent = String.fromCharCode(...server.peers[0]!.received.filter((byte) => byte !== 0));
  // What was asked for at once was sent at once; its reply went to nobody.
  assertEquals(sent, "info 150\n info b\n info c\n info d\n ");
});

Deno.test("a reply past the limit fails its caller, and the next command gets its own reply", async () => {
  await using server = new ScriptServer((peer) =>
    peer.serve((line) => line === "info long" ? "a".repeat(300_000) + "\n" : "short\n")
  );
  await using monitor = await connect(server, { maxReplyBytes: 100_000 });
  const error = await assertRejects(
    () => monitor.command("info long"),
    ReplyTooLargeError,
    "100000",
  );
  assertEquals([error.limitBytes, error.command], [100_000, "info long"]);
  assertEquals(await monitor.command("info short"), "short");
});

Deno.test("the end of the stream in mid-reply fails all callers, then and later", async () => {
  await using server = new ScriptServer(async (peer) => {
    await peer.greet();
    await peer.line();
    await peer.send("half of it");
  });
  await using monitor = await connect(server);
  const outcomes = await Promise.allSettled(
    ["info a", "info b"].map((line) => monitor.command(line)),
  );
  for (const [i, outcome] of outcomes.entries()) {
    assert(outcome.status === "rejected" && outcome.reason instanceof ConnectionLostError);
    assertEquals(outcome.reason.command, ["info a", "info b"][i]!);
    assertMatch(outcome.reason.message, /QEMU quit/);
    isOneLine(outcome.reason);
  }
  await assertRejects(() => monitor.command("info c"), ConnectionLostError, "QEMU quit");
});

Deno.test("an echo that is not the command's ends the connection", async () => {
  await using server = new ScriptServer(async (peer) => {
    await peer.greet();
    await delay(20);
    await peer.send("info other\x1b[K\r\n");
    await peer.untilClosed();
  });
  await using monitor = await connect(server);
  await assertRejects(() => monitor.command("info a"), ConnectionLostError, "echo");
});

Deno.test("close() fails pending callers, may be called twice, and ends the connection", async () => {
  let left = false;
  await using server = new ScriptServer(async (peer) => {
    await peer.greet();
    await peer.untilClosed();
    left = true;
  });
  {
    await using monitor = await connect(server);
    const outcomes = Promise.allSettled(["info a", "info b"].map((line) => monitor.command(line)));
    await delay(20);
    await monitor.close();
    for (const outcome of await outcomes) {
      assert(outcome.status === "rejected" && outcome.reason instanceof ConnectionLostError);
      assertMatch(outcome.reason.message, /was closed/);
    }
    await monitor.close();
    await assertRejects(() => monitor.command("info c"), ConnectionLostError, "was closed");
  }
  await delay(20);
  assert(left);
});

Deno.test("`await using` closes the monitor", async () => {
  const ended = Promise.withResolvers<void>();
  await using server = new ScriptServer(async (peer) => {
    await counting(peer);
    ended.resolve();
  });
  {
    await using monitor = await connect(server);
    await monitor.command("info a");
  }
  await ended.promise;
});

Deno.test("a command for another vCPU puts the monitor's own back", async () => {
  let current = 1;
  const seen: string[] = [];
  await using server = new ScriptServer((peer) =>
    peer.serve((line) => {
      seen.push(line);
      const cpu = /^cpu (\d+)$/.exec(line)?.[1];
      if (cpu !== undefined) {
        if (Number(cpu) > 1) return "invalid CPU index\n";
        current = Number(cpu);
        return "";
      }
      if (line === "info bad") return "unknown command: 'info bad'\n";
      const mark = (i: number) => i === current ? "*" : " ";
      return line === "info cpus"
        ? `${mark(0)} CPU #0: thread_id=1\n${mark(1)} CPU #1: thread_id=2\n`
        : `on ${current}\n`;
    })
  );
  await using monitor = await connect(server);
  assertEquals(await monitor.command("info lapic", { cpu: 0 }), "on 0");
  assertEquals(await monitor.command("info lapic"), "on 1");
  assertEquals(await monitor.command("info lapic", { cpu: 1 }), "on 1");
  await assertRejects(() => monitor.command("info bad", { cpu: 0 }), UnknownCommandError);
  assertEquals(await monitor.command("info lapic"), "on 1");
  const error = await assertRejects(
    () => monitor.command("info lapic", { cpu: 7 }),
    NoSuchCpuError,
  );
  assertEquals(error.cpu, 7);
  assertEquals(seen.filter((line) => line.startsWith("cpu")), [
    "cpu 0",
    "cpu 1",
    "cpu 0",
    "cpu 1",
    "cpu 7",
  ]);
});

Deno.test("a command is sent however soon it follows the reply to another one", async () => {
  await using transport = inProcessTransport(simulatedGuest());
  await using client = await HmpClient.open(transport, { commandTimeoutMs: 60_000 });
  const late: string[] = [];
  for (let others = 0; others < 4; others++) {
    for (let ticks = 0; ticks < 20; ticks++) {
      const followed = async () => {
        await client.command("info status");
        for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
        await client.command("info status", { timeoutMs: 20_000 });
      };
      const all = [
        followed(),
        ...Array.from({ length: others }, () => client.command("info cpus")),
      ];
      await Promise.all(all).catch(() => late.push(`${ticks} ticks after one of ${others + 1}`));
    }
  }
  assertEquals(late, []);
});
