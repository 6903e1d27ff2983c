import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  ConnectionLostError,
  connectQmp,
  type MonitorError,
  NoBannerError,
  NoSuchCpuError,
  QmpClient,
  ReplyTimeoutError,
  ReplyTooLargeError,
  UnknownCommandError,
  WrongPeerError,
} from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";

function inProcess() {
  const transport = simulatedGuest().transport({ protocol: "qmp" });
  return { transport, open: () => QmpClient.open(transport, { bannerTimeoutMs: 20_000 }) };
}

Deno.test("a QMP server is known by its greeting, on a bare endpoint too", async () => {
  for (const scheme of ["tcp", "unix"] as const) {
    await using qemu = fakeMonitor(simulatedGuest(), { protocol: "qmp", scheme });
    for (const endpoint of [qemu.endpoint, `qmp:${qemu.endpoint}`]) {
      await using guest = await connect(endpoint);
      assert(guest.monitor instanceof QmpClient);
      assertEquals(guest.qemuVersion, "7.2.22");
      assertEquals((await guest.verify(0x7f1234567000n)).verdict, "pass");
    }
  }
});

Deno.test("replies find their commands, several at once, cut anywhere", async () => {
  const guest = simulatedGuest();
  for (const chunkBytes of [1, 7, 1000]) {
    const transport = guest.transport({ protocol: "qmp", chunkBytes });
    await using client = await QmpClient.open(transport);
    const lines = Array.from({ length: 40 }, (_, i) => `xp /2gx ${0x1000 + 16 * i}`);
    const replies = await Promise.all(lines.map((line) => client.command(line)));
    assertEquals(replies.map((reply) => `${reply}\n`), lines.map((line) => guest.command(line)));
    assertEquals(transport.monitor.commands, lines);
  }
});

Deno.test("a command runs on the vCPU that it names, and no other is changed", async () => {
  const guest = simulatedGuest({ schedule: [["target"], ["idle"]] });
  await using client = await QmpClient.open(guest.transport({ protocol: "qmp" }));
  const cr3 = async (cpu: number) =>
    /CR3=(\w+)/.exec(await client.command("info registers", { cpu }))![1];
  assertEquals(BigInt(`0x${await cr3(1)}`), guest.registers(1).cr3);
  assertEquals(BigInt(`0x${await cr3(0)}`), guest.registers(0).cr3);
  const error = await assertRejects(() => cr3(9), NoSuchCpuError);
  assertEquals(error.cpu, 9);
  await assertRejects(() => client.command("info bogus"), UnknownCommandError, "info bogus");
});

Deno.test("events never come in the way of replies, and are kept in bounds", async () => {
  const { transport, open } = inProcess();
  await using client = await open();
  for (let i = 0; i < 300; i++) transport.monitor.event(`EVENT_${i}`);
  assertEquals(await client.command("info status"), "VM status: running");
  const seen: string[] = [];
  const reader = (async () => {
    for await (const { event, timeMs } of client.events()) {
      assertEquals(timeMs, 1_795_356_314_052.029);
      seen.push(event);
      if (event === "LAST") break;
    }
  })();
  transport.monitor.event("LAST");
  await reader;
  assertEquals([seen.length, seen[0], seen.at(-1)], [257, "EVENT_44", "LAST"]);
});

Deno.test("long events are kept in bounds as well, the newest in any case", async () => {
  const { transport, open } = inProcess();
  await using client = await open();
  const sizes: number[] = [];
  for (const size of [300_000, 300_000, 300_000, 300_000, 5_000_000, 400_000, 400_000]) {
    transport.monitor.event("x".repeat(size));
    await client.command("info status");
  }
  transport.monitor.event("LAST");
  for await (const { event } of client.events()) {
    if (event === "LAST") break;
    sizes.push(event.length);
  }
  assertEquals(sizes, [400_000, 400_000]);
});

Deno.test("events end with the connection and with the signal", async () => {
  const { open } = inProcess();
  const client = await open();
  const ending = new AbortController();
  const aborted = Array.fromAsync(client.events({ signal: ending.signal }));
  const closed = Array.fromAsync(client.events());
  ending.abort();
  assertEquals(await aborted, []);
  await client.close();
  assertEquals(await closed, []);
});

Deno.test("a late or aborted command leaves the next ones their own replies", async () => {
  const { transport, open } = inProcess();
  await using client = await open();
  transport.monitor.inject({ fault: { kind: "delay", delayMs: 300 }, on: "info status", times: 1 });
  await assertRejects(() => client.command("info status", { timeoutMs: 20 }), ReplyTimeoutError);
  const signal = AbortSignal.timeout(10);
  await assertRejects(() => client.command("info cpus", { signal }), DOMException);
  assert((await client.command("info registers")).includes("RAX="));
});

Deno.test("a reply over the cap fails only its own command", async () => {
  const transport = simulatedGuest().transport({ protocol: "qmp" });
  await using client = await QmpClient.open(transport, { maxReplyBytes: 4000 });
  const [large, small] = await Promise.allSettled([
    client.command("xp /512gx 0x1000"),
    client.command("info status"),
  ]);
  assert(large.status === "rejected" && large.reason instanceof ReplyTooLargeError);
  assertEquals(small, { status: "fulfilled", value: "VM status: running" });
  transport.monitor.inject({ fault: { kind: "endless" }, on: "info" });
  await assertRejects(() => client.command("info cpus"), ReplyTooLargeError);
});

Deno.test("a QMP connection cut at any byte, or garbage, is a typed error", async () => {
  for (let afterBytes = 0; afterBytes < 34; afterBytes++) {
    const { transport, open } = inProcess();
    await using client = await open();
    transport.monitor.inject({ fault: { kind: "close", afterBytes } });
    await assertRejects(() => client.command("info status"), ConnectionLostError);
    await assertRejects(() => client.command("info status"), ConnectionLostError);
  }
  for (
    const text of [
      "no json\n",
      "[]\n",
      '{"error": {}, "id": 1}\n',
      '{"return": 3, "id": 1}\n',
      '{"return": "", "id": 77}\n',
    ]
  ) {
    const { transport, open } = inProcess();
    await using client = await open();
    transport.monitor.inject({ fault: { kind: "raw", bytes: text } });
    await assertRejects(() => client.command("info status"), ConnectionLostError, "what no QMP");
  }
});

Deno.test("whatever greets instead of a QMP server is a typed error", async () => {
  const peers: [string, new (...args: never[]) => MonitorError][] = [
    ["QEMU 7.2.22 monitor", WrongPeerError],
    ["$T02thread:01;#04", WrongPeerError],
    ['{"oops": 1}\n', WrongPeerError],
    ["{{{{\n", WrongPeerError],
    ['{"return": {}, "id": 0}\n', WrongPeerError],
    ['{"QMP": {}}\n{"QMP": {}}\n', WrongPeerError],
    ["{".repeat(100_000), WrongPeerError],
    ['{"QMP": {"version"', NoBannerError],
    ["", NoBannerError],
  ];
  for (const [bytes, type] of peers) {
    const transport = simulatedGuest().transport({
      protocol: "qmp",
      faults: [{ fault: { kind: "raw", bytes }, on: "connect" }],
    });
    await assertRejects(
      () => QmpClient.open(transport, { bannerTimeoutMs: type === NoBannerError ? 50 : 20_000 }),
      type as typeof MonitorError,
    );
  }
  for (const afterBytes of [0, 1, 60, 130]) {
    const transport = simulatedGuest().transport({
      protocol: "qmp",
      faults: [{ fault: { kind: "close", afterBytes }, on: "connect" }],
    });
    await assertRejects(() => QmpClient.open(transport), ConnectionLostError);
  }
});

Deno.test("a second client of a QMP server is told that another holds it", async () => {
  await using qemu = fakeMonitor(simulatedGuest(), { protocol: "qmp" });
  await using _first = await connectQmp(qemu.endpoint);
  const error = await assertRejects(
    () => connectQmp(qemu.endpoint, { bannerTimeoutMs: 50 }),
    NoBannerError,
  );
  assert(error.message.includes("another client"));
});
