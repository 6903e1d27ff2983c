import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import {
  fakeMonitor,
  type FaultRule,
  type InProcessTransport,
  type MonitorFault,
  simulatedGuest,
} from "../../src/testing/mod.ts";
import { WireClient } from "./_wire_client.ts";

const BANNER = "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ";
const STATUS = "VM status: running\r\n(qemu) ";
const SILENCE_MS = 40;

/** Opens a monitor with one fault, past its banner. */
async function opened(fault: MonitorFault): Promise<[WireClient, InProcessTransport]> {
  const transport = simulatedGuest().transport({ faults: [{ fault, on: "info status" }] });
  const client = new WireClient(transport);
  assertEquals(await client.untilPrompt(), BANNER);
  return [client, transport];
}

/** What follows the echo. */
function afterEcho(text: string): string {
  return text.slice(text.indexOf("\r\n") + 2);
}

Deno.test("fault silence: the echo comes, then nothing, and input is dropped", async () => {
  const [client, transport] = await opened({ kind: "silence" });
  await client.send("info status\n");
  assert((await client.until("\r\n")).endsWith("info status\x1b[K\r\n"));
  await client.send("info status\n");
  assert(await client.isSilentFor(SILENCE_MS));
  assertEquals(transport.monitor.count(), 1);
  await transport[Symbol.asyncDispose]();
});

Deno.test("fault silence at connect: no banner", async () => {
  await using monitor = fakeMonitor(simulatedGuest(), {
    faults: [{ fault: { kind: "silence" }, on: "connect", times: 1 }],
  });
  await using client = await WireClient.tcp(monitor.port);
  await client.send("info status\n");
  assert(await client.isSilentFor(SILENCE_MS));
  await using next = await WireClient.tcp(monitor.port);
  assertEquals(await next.untilPrompt(), BANNER);
});

Deno.test("fault close: the stream ends after so many bytes of the reply", async () => {
  for (const afterBytes of [0, 1, 10, STATUS.length]) {
    const [client, transport] = await opened({ kind: "close", afterBytes });
    await client.send("info status\n");
    assertEquals(afterEcho(await client.untilEnd()), STATUS.slice(0, afterBytes));
    await transport[Symbol.asyncDispose]();
  }
});

Deno.test("fault close at connect, over TCP", async () => {
  await using monitor = fakeMonitor(simulatedGuest(), {
    faults: [{ fault: { kind: "close", afterBytes: 9 }, on: "connect" }],
  });
  for (let i = 0; i < 2; i++) {
    await using client = await WireClient.tcp(monitor.port);
    assertEquals(await client.untilEnd(), "QEMU 7.2.");
  }
});

Deno.test("fault garbage: so many bytes that are no text, then the prompt", async () => {
  const [client, transport] = await opened({ kind: "garbage", lengthBytes: 500 });
  const first = afterEcho(await client.exchange("info status\n"));
  assertEquals(first.length, 500 + "(qemu) ".length);
  assert([...first].some((character) => character.charCodeAt(0) > 127));
  assertEquals(afterEcho(await client.exchange("info status\n")), first);
  await transport[Symbol.asyncDispose]();
});

Deno.test("fault endless: lines without end, as fast as they are read, up to a limit", async () => {
  const [client, transport] = await opened({ kind: "endless", lengthBytes: 1_000_000 });
  await client.send("info status\n");
  const text = afterEcho(await client.untilEnd());
  assertEquals(text.length, 1_000_000);
  assert(!text.includes("(qemu) "));
  await transport[Symbol.asyncDispose]();
});

Deno.test("fault endless: a client that leaves ends it", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest, { faults: [{ fault: { kind: "endless" } }] });
  {
    await using client = await WireClient.tcp(monitor.port);
    await client.untilPrompt();
    await client.send("info status\n");
    assertGreaterOrEqual((await client.atLeast(300_000)).length, 300_000);
  }
  monitor.clearFaults();
  await using client = await WireClient.tcp(monitor.port);
  assertEquals(await client.untilPrompt(), BANNER);
  assertEquals(monitor.errors, []);
});

Deno.test("fault noPrompt: the reply is complete, the next command has its own", async () => {
  const [client, transport] = await opened({ kind: "noPrompt" });
  await client.send("info status\n");
  assertEquals(afterEcho(await client.until("running\r\n")), "VM status: running\r\n");
  assert((await client.exchange("cpu 9\n")).endsWith("invalid CPU index\r\n(qemu) "));
  await transport[Symbol.asyncDispose]();
});

Deno.test("fault trickle: pieces with pauses", async () => {
  const [, transport] = await opened({ kind: "trickle", chunkBytes: 5, delayMs: 4 });
  await transport.write(new TextEncoder().encode("info status\n"));
  const started = performance.now();
  const pieces: string[] = [];
  while (!pieces.join("").endsWith(STATUS)) {
    pieces.push(new TextDecoder().decode((await transport.read())!));
  }
  pieces.shift(); // The echo comes at once.
  assertEquals(pieces.join(""), STATUS);
  assertEquals(pieces.length, Math.ceil(STATUS.length / 5));
  assertGreaterOrEqual(performance.now() - started, pieces.length * 4 - 1);
  await transport[Symbol.asyncDispose]();
});

Deno.test("fault delay, and delayMs for every command", async () => {
  const [client, transport] = await opened({ kind: "delay", delayMs: 30 });
  await client.send("info status\n");
  await client.until("\r\n");
  const started = performance.now();
  assertEquals(await client.untilPrompt(), STATUS);
  assertGreaterOrEqual(performance.now() - started, 25);
  await transport[Symbol.asyncDispose]();

  const slow = simulatedGuest().transport({ delayMs: 30 });
  const slowClient = new WireClient(slow);
  await slowClient.untilPrompt();
  const sent = performance.now();
  await slowClient.exchange("info status\n");
  assertGreaterOrEqual(performance.now() - sent, 25);
  await slow[Symbol.asyncDispose]();
});

Deno.test("a long delay does not hold up the end of the monitor", async () => {
  const started = performance.now();
  {
    await using monitor = fakeMonitor(simulatedGuest(), { delayMs: 600_000 });
    await using client = await WireClient.tcp(monitor.port);
    await client.untilPrompt();
    await client.send("info status\n");
    await client.until("\r\n");
  }
  assert(performance.now() - started < 300_000);
});

Deno.test("fault replace and insert: a prompt inside the output", async () => {
  const [client, transport] = await opened({ kind: "replace", text: "one\n(qemu) two\n(qemu) " });
  await client.send("info status\n");
  const text = afterEcho(await client.until("(qemu) (qemu) "));
  assertEquals(text, "one\r\n(qemu) two\r\n(qemu) (qemu) ");

  transport.monitor.inject({ fault: { kind: "insert", atByte: 3, text: "(qemu) " } });
  await client.send("info status\n");
  assertEquals(afterEcho(await client.until("running\r\n(qemu) ")), `VM (qemu) ${STATUS.slice(3)}`);
  await transport[Symbol.asyncDispose]();
});

Deno.test("fault raw: bytes without prompt; at connect, another protocol", async () => {
  const [client, transport] = await opened({ kind: "raw", bytes: Uint8Array.of(0xff, 0x00, 0x0a) });
  await client.send("info status\n");
  assertEquals(afterEcho(await client.until("\xff\0\n")), "\xff\0\n");
  await transport[Symbol.asyncDispose]();

  const greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
  await using monitor = fakeMonitor(simulatedGuest(), {
    faults: [{ fault: { kind: "raw", bytes: greeting }, on: "connect" }],
  });
  await using qmp = await WireClient.tcp(monitor.port);
  assertEquals(await qmp.atLeast(greeting.length), greeting);
  await qmp.send("info status\n");
  assert(await qmp.isSilentFor(SILENCE_MS));
  assertEquals(monitor.commands, []);
});

Deno.test("fault throw, and a handler that throws: the connection ends, the error is kept", async () => {
  const [client, transport] = await opened({ kind: "throw", message: "broken on purpose" });
  await client.send("info status\n");
  assertEquals(afterEcho(await client.untilEnd()), "");
  await transport[Symbol.asyncDispose]();
  assertEquals(transport.monitor.errors.map(String), ["Error: broken on purpose"]);

  await using monitor = fakeMonitor(() => {
    throw new RangeError("the handler's own");
  });
  await using other = await WireClient.tcp(monitor.port);
  await other.untilPrompt();
  await other.send("anything\n");
  await other.untilEnd();
  await using next = await WireClient.tcp(monitor.port);
  assertEquals(await next.untilPrompt(), BANNER);
  assertInstanceOf(monitor.errors[0], RangeError);
});

Deno.test("faults strike by command and by count, and change while it runs", async () => {
  const silent = { kind: "replace", text: "struck\n" } as const;
  const rules: FaultRule[] = [{ fault: silent, on: /^xp/, times: 2 }];
  const transport = simulatedGuest().transport({ faults: rules });
  await using client = new WireClient(transport);
  await client.untilPrompt();
  const struck = async (line: string) => (await client.command(line)) === "struck\n";
  assertEquals(await struck("info status"), false);
  assertEquals(await struck("xp 0"), true);
  assertEquals(await struck("xp 0"), true);
  assertEquals(await struck("xp 0"), false);
  transport.monitor.inject({ fault: silent });
  assertEquals(await struck("info status"), true);
  transport.monitor.inject({ fault: { kind: "replace", text: "newer\n" }, on: "info", times: 1 });
  assertEquals(await client.command("info status"), "newer\n");
  assertEquals(await struck("info status"), true);
  transport.monitor.clearFaults();
  assertEquals(await struck("info status"), false);
});

Deno.test("pieces of no bytes are refused", () => {
  const guest = simulatedGuest();
  assertThrows(() => guest.transport({ chunkBytes: 0 }), InvalidArgumentError, "at least 1: 0");
  assertThrows(() => fakeMonitor(guest, { chunkBytes: NaN }), InvalidArgumentError);
  const trickle = { kind: "trickle", chunkBytes: -1, delayMs: 1 } as const;
  assertThrows(() => guest.transport({ faults: [{ fault: trickle }] }), InvalidArgumentError);
});
