/** Messages that nobody asked for come before, between and behind the replies. */
import { assert, assertEquals } from "@std/assert";
import { QmpClient } from "../../src/monitor/qmp_client.ts";
import { liveTest } from "../live.ts";
import { askRegistersAndMemory, attempt, type Outcome } from "./_attempt.ts";
import { FaultProxy } from "./_fault_proxy.ts";
import {
  type GuestBehindConnector,
  openAt,
  SOCKET_CONNECTORS,
  type SocketConnector,
  startBehind,
} from "./_socket_connectors.ts";

const TIMEOUTS = { bannerTimeoutMs: 60_000, commandTimeoutMs: 60_000 };
/** Thousands are too many for any buffer; what few do on one socket, they do on the other. */
const EVENTS = { tcp: 2000, telnet: 2000, unix: 20 };
const EVENT =
  '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RTC_CHANGE", "data": {"offset": 1}}\r\n';

for (const connector of SOCKET_CONNECTORS.filter(({ option }) => option === "qmp")) {
  liveTest(
    `${connector.name}: ${EVENTS[connector.scheme]} events between any two messages change nothing`,
    async () => {
      await using behind = await startBehind(connector);
      const { expected, outcomes } = await insertAtEachEnd(
        connector,
        behind,
        /\n/g,
        EVENT.repeat(EVENTS[connector.scheme]),
      );
      for (const { answer, error } of outcomes) assertEquals(answer, expected, `${error}`);
    },
  );
}

for (const connector of SOCKET_CONNECTORS.filter(({ option }) => option === "gdb")) {
  liveTest(`${connector.name}: a stop between any two packets changes nothing`, async () => {
    await using behind = await startBehind(connector);
    const stop = "$T05thread:01;#07";
    const { expected, outcomes } = await insertAtEachEnd(connector, behind, /#[0-9a-f]{2}/g, stop);
    for (const { answer, error } of outcomes) assertEquals(answer, expected, `${error}`);
  });

  if (connector.scheme === "unix") continue; // What follows is no matter of the socket.
  liveTest(`${connector.name}: a reply too many never makes a wrong answer`, async () => {
    await using behind = await startBehind(connector);
    for (const packet of ["$OK#9a", "$#00", "$E01#a6", "$0011223344556677#70"]) {
      const { expected, outcomes } = await insertAtEachEnd(
        connector,
        behind,
        /#[0-9a-f]{2}/g,
        packet,
      );
      for (const { answer } of outcomes) assert(answer === null || answer === expected, answer!);
      assert(outcomes.some(({ error }) => error !== null), `${packet} is never noticed`);
    }
  });
}

liveTest("QMP answers while the guest is stopped and let go, and keeps the events", async () => {
  const connector = SOCKET_CONNECTORS.find(({ option }) => option === "qmp")!;
  await using behind = await startBehind(connector);
  await using session = await openAt(connector, behind.address, TIMEOUTS);
  assert(session.monitor instanceof QmpClient);
  const ending = new AbortController();
  const seen = (async () => {
    const names: string[] = [];
    const events = (session.monitor as QmpClient).events({ signal: ending.signal });
    for await (const { event } of events) {
      if (names.push(event) === 100) break;
    }
    return names;
  })();
  const turns = async () => {
    for (let i = 0; i < 100; i++) {
      await behind.watch.command("stop", { allowUnsafe: ["stop"] });
      await behind.watch.command("cont", { allowUnsafe: ["cont"] });
    }
  };
  const expected = await askRegistersAndMemory(session);
  const asks = async () => {
    for (let i = 0; i < 50; i++) assertEquals(await askRegistersAndMemory(session), expected);
  };
  await Promise.all([turns(), asks()]);
  assertEquals(new Set(await seen), new Set(["STOP", "RESUME"]));
  ending.abort();
  await behind.requireRunning("100 stops");
});

/** Asks once for each end of a message in a whole session, with something inserted there. */
async function insertAtEachEnd(
  connector: SocketConnector,
  behind: GuestBehindConnector,
  messageEnd: RegExp,
  inserted: string,
): Promise<{ expected: string; outcomes: Outcome[] }> {
  await using proxy = new FaultProxy(behind.address);
  const open = () => openAt(connector, proxy.address, TIMEOUTS);
  const first = await attempt(open, askRegistersAndMemory, `${connector.name}, undisturbed`);
  assert(first.answer !== null, `${first.error}`);
  const decoder = new TextDecoder("latin1");
  const text = proxy.said.map((bytes) => decoder.decode(bytes)).join("");
  const ends = [
    0,
    ...Array.from(text.matchAll(messageEnd), ({ index, 0: end }) => index + end.length),
  ];
  const outcomes: Outcome[] = [];
  for (const afterBytes of ends) {
    const bytes = new TextEncoder().encode(inserted);
    const at = `${connector.name}, ${inserted.slice(0, 40)} after ${afterBytes} bytes`;
    proxy.strike({ kind: "insert", afterBytes, bytes });
    outcomes.push(await attempt(open, askRegistersAndMemory, at));
    await behind.requireRunning(at);
  }
  return { expected: first.answer, outcomes };
}
