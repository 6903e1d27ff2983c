/** Messages that nobody asked for come before, between and behind the replies. */
import { assert, assertEquals } from "@std/assert";
import { QmpClient } from "../../src/monitor/qmp_client.ts";
import { liveTest } from "../live.ts";
import { askRegistersAndMemory, attempt, type Outcome } from "./_attempt.ts";
import { FaultProxy } from "./_fault_proxy.ts";
import {
  type GuestBehindDoor,
  openAt,
  SOCKET_DOORS,
  type SocketDoor,
  startBehind,
} from "./_socket_doors.ts";

const TIMEOUTS = { bannerTimeoutMs: 20_000, commandTimeoutMs: 20_000 };
const EVENTS = 2000;
const EVENT =
  '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RTC_CHANGE", "data": {"offset": 1}}\r\n';

for (const door of SOCKET_DOORS.filter(({ option }) => option === "qmp")) {
  liveTest(
    `${door.name}: thousands of events between any two messages change nothing`,
    async () => {
      await using behind = await startBehind(door);
      const { expected, outcomes } = await insertAtEachEnd(
        door,
        behind,
        /\n/g,
        EVENT.repeat(EVENTS),
      );
      for (const { answer, error } of outcomes) assertEquals(answer, expected, `${error}`);
    },
  );
}

for (const door of SOCKET_DOORS.filter(({ option }) => option === "gdb")) {
  liveTest(`${door.name}: a stop between any two packets changes nothing`, async () => {
    await using behind = await startBehind(door);
    const stop = "$T05thread:01;#07";
    const { expected, outcomes } = await insertAtEachEnd(door, behind, /#[0-9a-f]{2}/g, stop);
    for (const { answer, error } of outcomes) assertEquals(answer, expected, `${error}`);
  });

  if (door.scheme === "unix") continue; // What follows is no matter of the socket.
  liveTest(`${door.name}: a reply too many never makes a wrong answer`, async () => {
    await using behind = await startBehind(door);
    for (const packet of ["$OK#9a", "$#00", "$E01#a6", "$0011223344556677#70"]) {
      const { expected, outcomes } = await insertAtEachEnd(door, behind, /#[0-9a-f]{2}/g, packet);
      for (const { answer } of outcomes) assert(answer === null || answer === expected, answer!);
      assert(outcomes.some(({ error }) => error !== null), `${packet} is never noticed`);
    }
  });
}

liveTest("QMP answers while the guest is stopped and let go, and keeps the events", async () => {
  const door = SOCKET_DOORS.find(({ option }) => option === "qmp")!;
  await using behind = await startBehind(door);
  await using session = await openAt(door, behind.address, TIMEOUTS);
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
  door: SocketDoor,
  behind: GuestBehindDoor,
  messageEnd: RegExp,
  inserted: string,
): Promise<{ expected: string; outcomes: Outcome[] }> {
  await using proxy = new FaultProxy(behind.address);
  const open = () => openAt(door, proxy.address, TIMEOUTS);
  const first = await attempt(open, askRegistersAndMemory, `${door.name}, undisturbed`);
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
    const at = `${door.name}, ${inserted.slice(0, 40)} after ${afterBytes} bytes`;
    proxy.strike({ kind: "insert", afterBytes, bytes });
    outcomes.push(await attempt(open, askRegistersAndMemory, at));
    await behind.requireRunning(at);
  }
  return { expected: first.answer, outcomes };
}
