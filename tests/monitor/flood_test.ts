import { assert, assertRejects } from "@std/assert";
import {
  HmpClient,
  type MonitorError,
  NoBannerError,
  QmpClient,
  ReplyTimeoutError,
} from "../../mod.ts";
import type { Transport } from "../../src/entries/extend.ts";
import { GdbConnection } from "../../src/connectors/gdbstub/gdb_connection.ts";
import { bytesOf } from "./_fixtures.ts";
import { BANNER, PROMPT } from "./_script_server.ts";
import { echoOf } from "./_line_editor.ts";

const GREETING = '{"QMP": {"version": {"qemu": {"micro": 1, "minor": 2, "major": 7}}}}\r\n';
const EVENT = '{"event": "X", "timestamp": {"seconds": 1, "microseconds": 2}}\r\n';
const STOP = "$T05thread:01;#07";
const TIMEOUT_MS = 30;
/** After so long the flood ends, so that a client that never looks at the clock does not hang. */
const FLOOD_MS = 300_000;

/**
 * Says some things, each after something was written, and then the same without end and at once: so no
 * timer ever has its turn.
 */
function flood(pieces: string[], endless: string): Transport {
  const queue = pieces.map(bytesOf);
  const started = performance.now();
  let closed = false;
  return {
    name: "sim:",
    isTcp: false,
    read() {
      if (closed || performance.now() - started > FLOOD_MS) return Promise.resolve(null);
      return Promise.resolve(queue.shift() ?? bytesOf(endless));
    },
    write: () => Promise.resolve(),
    close: () => void (closed = true),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const limits = { commandTimeoutMs: TIMEOUT_MS, bannerTimeoutMs: TIMEOUT_MS };
/** For a greeting that must be read in its time, on any machine. */
const lateOnceOpen = { ...limits, bannerTimeoutMs: 60_000 };

Deno.test("a command is late in its time, though its peer never pauses", async () => {
  const line = "info status";
  await using hmp = await HmpClient.open(
    flood([BANNER + PROMPT, echoOf(line)], "more\r\n"),
    lateOnceOpen,
  );
  await assertRejects(() => hmp.command(line), ReplyTimeoutError);
  await using qmp = await QmpClient.open(
    flood([GREETING, '{"return": {}, "id": 0}\r\n'], EVENT),
    lateOnceOpen,
  );
  await assertRejects(() => qmp.command(line), ReplyTimeoutError);
  for (const endless of ["+", STOP]) {
    const gdb = new GdbConnection(flood([], endless), limits);
    await assertRejects(() => gdb.request("qfThreadInfo"), ReplyTimeoutError);
    gdb.end("it was closed");
    await gdb.settled();
  }
});

Deno.test("a greeting is late in its time, though its peer never pauses", async () => {
  const greetings: [string, (transport: Transport) => Promise<unknown>][] = [
    ["\xff\xfb\x01", (transport) => HmpClient.open(transport, limits)],
    [EVENT, (transport) => QmpClient.open(transport, limits)],
    ["\r\n", (transport) => QmpClient.open(transport, limits)],
  ];
  for (const [endless, open] of greetings) {
    const first = endless === "\r\n" ? [GREETING] : [];
    const error: MonitorError = await assertRejects(
      () => open(flood(first, endless)),
      NoBannerError,
    );
    assert(error.message.includes(`${TIMEOUT_MS} ms`), error.message);
  }
});
