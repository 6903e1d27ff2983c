import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  CommandRefusedError,
  connect,
  type ConnectError,
  ConnectionLostError,
  examineMemory,
  MonitorError,
  NoSuchCpuError,
  NotRecordedError,
  parseRecording,
  record,
  RecordingError,
  ReplayMonitor,
  ReplyTimeoutError,
  ReplyTooLargeError,
  UnknownCommandError,
} from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { runExample } from "../examples/_run.ts";
import { TextMonitor } from "../monitor/_text_monitor.ts";

const FIXTURE = new URL("../fixtures/recordings/simulated_guest.jsonl", import.meta.url).pathname;
const HEADER = '{"pagewalk":"recording","version":1,"qemuVersion":"7.2.22","endpointKind":"tcp"}\n';
const STATUS = '{"command":"info status","reply":"VM status: running","durationMs":0.2}\n';

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-recording-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a script on a recording prints what it printed on the guest, but for the endpoint", async () => {
  const read = [`--allow-read=${FIXTURE}`];
  const address = "0x7f1234567000";
  const live = await runExample("qemu_verify_pte.ts", ["sim:", address]);
  const again = await runExample("qemu_verify_pte.ts", [`replay:${FIXTURE}`, address], {
    permissions: read,
  });
  assertEquals([again.code, again.stderr], [0, ""]);
  assertEquals(again.stdout, live.stdout.replace("at sim:", `at replay:${FIXTURE}`));
  const other = await runExample("qemu_verify_pte.ts", [`replay:${FIXTURE}`, "0x1000"], {
    permissions: read,
  });
  assertEquals(other.code, 3);
  assertStringIncludes(other.stderr, 'has no reply to "xp /1gx 0x');
  assertStringIncludes(other.stderr, "--record FILE");
});

Deno.test("--record and replay: need exactly their file, and say so", () =>
  inFolder(async (folder) => {
    const path = `${folder}/guest.jsonl`;
    const record = (permissions: string[]) =>
      runExample("qemu_verify_pte.ts", ["sim:", "0x7f1234567000", "--record", path], {
        permissions,
      });
    const write = `--allow-write=${path}`;
    const refused = await record([]);
    assertEquals(refused.code, 3);
    assertStringIncludes(refused.stderr, `run deno with ${write}\n`);
    assertEquals((await record([write])).code, 0);
    // It never writes over a file.
    assertStringIncludes((await record([write])).stderr, "There is a file");
    const replay = await runExample("qemu_verify_pte.ts", [`replay:${path}`, "0x7f1234567000"]);
    assertStringIncludes(replay.stderr, `run deno with --allow-read=${path}\n`);
  }));

Deno.test("a recording holds nothing of the host's paths", () =>
  inFolder(async (folder) => {
    const path = `${folder}/guest.jsonl`;
    await using qemu = fakeMonitor(simulatedGuest(), { scheme: "unix" });
    {
      await using guest = await connect(qemu.endpoint, { record: path });
      await guest.verify(0x7f1234567000n);
      qemu.inject({ fault: { kind: "silence" }, on: "info status", times: 1 });
      const late = guest.monitor.command("info status", { timeoutMs: 20 });
      assert((await assertRejects(() => late, ReplyTimeoutError)).message.includes(qemu.endpoint));
    }
    const text = await Deno.readTextFile(path);
    assertStringIncludes(text, '"endpointKind":"unix"');
    assertStringIncludes(text, "ReplyTimeoutError");
    assert(!text.includes(qemu.endpoint.replace("unix:", "")));
  }));

Deno.test("a command's replies come in their order, and the last one stays", async () => {
  const line = (reply: string, cpu?: number) =>
    `${
      JSON.stringify({
        command: "info lapic",
        ...cpu !== undefined && { cpu },
        reply,
        durationMs: 1,
      })
    }\n`;
  const text = HEADER + line("a") + line("on 1", 1) + STATUS + line("b") + line("c");
  await using monitor = new ReplayMonitor(parseRecording(text));
  const replies = [];
  for (let i = 0; i < 5; i++) replies.push(await monitor.command("info lapic"));
  assertEquals(replies, ["a", "b", "c", "c", "c"]);
  assertEquals(await monitor.command("info lapic", { cpu: 1 }), "on 1");
  const missing = await assertRejects(
    () => monitor.command("info lapic", { cpu: 0 }),
    NotRecordedError,
    "on vCPU 0",
  );
  assertEquals([missing.command, missing.cpu], ["info lapic", 0]);
});

Deno.test("a replay refuses what a guest would be spared, and ends when it is closed", async () => {
  const monitor = new ReplayMonitor(parseRecording(HEADER + STATUS));
  await assertRejects(() => monitor.command("quit"), CommandRefusedError);
  const signal = AbortSignal.abort(new TypeError("mine"));
  await assertRejects(() => monitor.command("info status", { signal }), TypeError, "mine");
  await monitor.close();
  await assertRejects(() => monitor.command("info status"), ConnectionLostError, "was closed");
});

Deno.test("each error is the same class with the same fields on a replay", () =>
  inFolder(async (folder) => {
    const path = `${folder}/guest.jsonl`;
    const at = { endpoint: "unix:/run/secret.sock", command: "info status" };
    const errors = [
      new ReplyTimeoutError("late at unix:/run/secret.sock", 20, at),
      new ReplyTooLargeError("too long", 1000, at),
      new ConnectionLostError("gone", at),
      new NoSuchCpuError(7, "no vCPU 7", at),
      new UnknownCommandError("7.2.22", "unknown", at),
      new MonitorError("another", at),
    ];
    let next = 0;
    const failing = new TextMonitor({});
    failing.command = () => Promise.reject(errors[next++]);
    Object.assign(failing, { endpoint: at.endpoint });
    {
      await using monitor = await record(path, failing);
      for (const _ of errors) await assertRejects(() => monitor.command("info status"));
    }
    assert(!(await Deno.readTextFile(path)).includes("secret"));
    await using replay = await connect(`replay:${path}`);
    for (const error of errors) {
      const again = await assertRejects(
        () => replay.monitor.command("info status"),
        error.constructor as typeof MonitorError,
        error.message.replace(at.endpoint, replay.endpoint),
      );
      const fields = { ...error, endpoint: replay.endpoint };
      assertEquals({ ...again }, fields);
    }
  }));

Deno.test("what was aborted or refused is not recorded; overlapping commands all are", () =>
  inFolder(async (folder) => {
    const path = `${folder}/guest.jsonl`;
    {
      await using guest = await connect("sim:", { record: path });
      const { monitor } = guest;
      await assertRejects(() => monitor.command("quit"), CommandRefusedError);
      const signal = AbortSignal.abort(new TypeError("mine"));
      await assertRejects(() => monitor.command("info status", { signal }), TypeError);
      await Promise.all(Array.from({ length: 50 }, (_, i) => monitor.command(`xp /1gx ${i * 8}`)));
    }
    const { exchanges } = parseRecording(await Deno.readTextFile(path));
    assertEquals(exchanges.length, 50);
    assertEquals(new Set(exchanges.map(({ command }) => command)).size, 50);
  }));

Deno.test("a recording that was cut anywhere is read up to there, or refused", () => {
  const text = HEADER + STATUS + STATUS;
  fc.assert(fc.property(fc.nat(text.length), (end) => {
    const cut = text.slice(0, end);
    const lines = cut.split("\n").length - 1;
    if (lines === 0) void assertThrowsRecordingError(cut);
    else assertEquals(parseRecording(cut).exchanges.length, lines - 1);
  }));
});

Deno.test("what is not a recording is refused with the line where that shows", async () => {
  const damaged: [text: string, line: number | null, message: string][] = [
    ["", 1, "is not a recording"],
    ["QEMU 7.2.22 monitor\n", 1, "is not a recording"],
    [`${HEADER.replace('"version":1', '"version":2')}`, 1, "version 2"],
    [`${HEADER}${STATUS}{"command":\n`, 3, "Line 3"],
    [`${HEADER}{"command":"info tlb","durationMs":1}\n`, 2, "Line 2"],
    [`${HEADER}null\n`, 2, "damaged"],
  ];
  for (const [text, line, message] of damaged) {
    const error = assertThrowsRecordingError(text);
    assertEquals(error.line, line);
    assertStringIncludes(error.message, message);
  }
  const missing = await assertRejects(() => connect("replay:/no/such/file"));
  assertEquals((missing as ConnectError).failure, "noSuchFile");
});

Deno.test("any text is a recording or a RecordingError", () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.json(), fc.string())), (lines) => {
    for (const text of [lines.join("\n"), HEADER + lines.join("\n")]) {
      try {
        parseRecording(text);
      } catch (error) {
        assert(error instanceof RecordingError, String(error));
      }
    }
  }));
});

function assertThrowsRecordingError(text: string): RecordingError {
  try {
    parseRecording(text);
  } catch (error) {
    assert(error instanceof RecordingError);
    return error;
  }
  throw new Error("it was read");
}

Deno.test("a replay gives recorded memory in other pieces than it was recorded in, and no more", async () => {
  const row = (address: string, ...values: string[]) => `${address}: ${values.join(" ")}`;
  const exchange = (command: string, reply: string) =>
    `${JSON.stringify({ command, reply, durationMs: 0.2 })}\n`;
  const recording = HEADER + STATUS +
    exchange(
      "xp /2gx 0x1000",
      row("0000000000001000", "0x0807060504030201", "0x1817161514131211"),
    ) +
    exchange("xp /1gx 0x1010", row("0000000000001010", "0x2827262524232221")) +
    exchange("xp /1gx 0x1ffc", "damaged") +
    // What was read again is as it was the last time.
    exchange("xp /1gx 0x1008", row("0000000000001008", "0x3837363534333231"));
  await using monitor = new ReplayMonitor(parseRecording(recording));
  const { bytes } = await examineMemory(monitor, 0x1004n, 16);
  assertEquals([...bytes], [
    ...[0x05, 0x06, 0x07, 0x08, 0x31, 0x32, 0x33, 0x34],
    ...[0x35, 0x36, 0x37, 0x38, 0x21, 0x22, 0x23, 0x24],
  ]);
  await assertRejects(() => examineMemory(monitor, 0x1010n, 16), NotRecordedError, "0x1010");
  await assertRejects(() => monitor.command("info mtree -f"), NotRecordedError);
});
