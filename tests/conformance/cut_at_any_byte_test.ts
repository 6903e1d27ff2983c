/**
 * The connection to each connector is cut after every byte that QEMU says: while it greets, while it answers,
 * while it is left.
 */
import { assert, assertEquals } from "@std/assert";
import { ConnectError, ConnectionLostError } from "../../mod.ts";
import { liveTest } from "../live.ts";
import { type Ask, askRegistersAndMemory, askStatus, attempt } from "./_attempt.ts";
import { FaultProxy } from "./_fault_proxy.ts";
import { openAt, SOCKET_CONNECTORS, startBehind } from "./_socket_connectors.ts";

/** So long that no cut may ever be noticed by them. */
const TIMEOUTS = { bannerTimeoutMs: 60_000, commandTimeoutMs: 60_000 };

/** How many bytes lie between two cuts of a long session; 1 is all of them, and takes half an hour. */
const EVERY_BYTES = Number(Deno.env.get("PAGEWALK_CUT_EVERY_BYTES") ?? 307);

/**
 * Every byte of the shortest session. Registers and memory make one of 12 to 23 KB, in which a prime
 * number of bytes lies between two cuts; each connector begins elsewhere.
 */
const SESSIONS: [name: string, ask: Ask, everyBytes: number][] = [
  ["a command", askStatus, 1],
  ["registers and memory", askRegistersAndMemory, EVERY_BYTES],
];

for (const [i, connector] of SOCKET_CONNECTORS.entries()) {
  liveTest(`${connector.name}, cut at any byte, ends in a typed error or the answer`, async () => {
    await using behind = await startBehind(connector);
    await using proxy = new FaultProxy(behind.address);
    for (const [name, ask, everyBytes] of SESSIONS) {
      const open = () => openAt(connector, proxy.address, TIMEOUTS);
      await attempt(open, ask, "a first session"); // It may meet what QEMU says once only.
      proxy.said = [];
      const { answer: expected } = await attempt(open, ask, "an undisturbed session");
      assert(expected !== null);
      const total = proxy.said.reduce((sum, { length }) => sum + length, 0);
      const seen = new Map<string, number>();
      const first = everyBytes === 1 ? 0 : i * 43 % everyBytes;
      for (let afterBytes = first; afterBytes <= total; afterBytes += everyBytes) {
        const at = `${connector.name}, ${name}, cut after ${afterBytes} of ${total} bytes`;
        proxy.strike({ kind: "cut", afterBytes });
        const { answer, error } = await attempt(open, ask, at);
        if (error === null) assertEquals(answer, expected, at);
        else {
          const isTyped = error instanceof ConnectionLostError || error instanceof ConnectError;
          assert(isTyped, `${at}: ${error.name}: ${error.message}`);
        }
        const kind = error?.name ?? "the answer";
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        await behind.requireRunning(at);
      }
      const counts = [...seen].map(([kind, count]) => `${count} ${kind}`).join(", ");
      console.log(`  ${connector.name}, ${name}, ${total} bytes: ${counts}`);
    }
  });
}
