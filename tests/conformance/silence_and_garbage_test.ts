/**
 * What a connector's peer says stops, or turns into something else: while it greets and while it answers, at
 * several places of both.
 */
import { assert } from "@std/assert";
import {
  MonitorError,
  NoBannerError,
  ReplyParseError,
  ReplyTimeoutError,
  type Session,
  WrongPeerError,
} from "../../mod.ts";
import { liveTest } from "../live.ts";
import { askRegistersAndMemory, attempt, type Outcome } from "./_attempt.ts";
import { FaultProxy, type ProxyFault } from "./_fault_proxy.ts";
import { garbageFor } from "./_garbage.ts";
import {
  type GuestBehindConnector,
  openAt,
  SOCKET_CONNECTORS,
  type SocketConnector,
  startBehind,
} from "./_socket_connectors.ts";

/** Short, as each silence costs one; long enough that an undisturbed answer comes in time. */
const SHORT = { bannerTimeoutMs: 250, commandTimeoutMs: 250 };
const PATIENT = { ...SHORT, bannerTimeoutMs: 60_000 };

/** The first lie in the greeting or the first replies; the others, in what follows. */
const PLACES = [
  ["greeting", [0, 1, 5, 30, 70, 200]],
  ["session", [0, 1, 7, 90, 900, 5000]],
] as const;
/** Each kind of garbage comes at two of the places only. */
const FEW = 2;

liveTest(
  "silence at any connector ends in a typed error in time, and the guest runs on",
  () =>
    atEveryConnector(async (connector, strike) => {
      for (const [during, places] of PLACES) {
        for (const afterBytes of places) {
          const error = await strike(during, { kind: "silence", afterBytes });
          const types = [NoBannerError, ReplyTimeoutError, WrongPeerError];
          const isTyped = types.some((type) => error instanceof type);
          assert(
            isTyped,
            `${connector.name}, ${during}, silence after ${afterBytes} bytes: ${error}`,
          );
        }
      }
    }),
);

liveTest(
  "garbage at any connector ends in a typed error in time, and the guest runs on",
  () =>
    atEveryConnector(async (connector, strike) => {
      for (const [during, places] of PLACES) {
        for (const [i, [name, bytes]] of garbageFor(connector).entries()) {
          for (let n = 0; n < FEW; n++) {
            const afterBytes = places[(i + n * 3) % places.length]!;
            const error = await strike(during, { kind: "instead", afterBytes, bytes });
            const isTyped = error instanceof MonitorError || error instanceof ReplyParseError;
            assert(
              isTyped,
              `${connector.name}, ${during}, ${name} after ${afterBytes} bytes: ${error}`,
            );
          }
        }
      }
    }),
);

/** Lets a fault strike, and returns the error that it ends in. */
type Strike = (during: "greeting" | "session", fault: ProxyFault) => Promise<Outcome["error"]>;

/** At all connectors at once, as most of the time is spent waiting. */
async function atEveryConnector(
  test: (connector: SocketConnector, strike: Strike) => Promise<void>,
): Promise<void> {
  await Promise.all(SOCKET_CONNECTORS.map(async (connector) => {
    await using behind = await startBehind(connector);
    await using proxy = new FaultProxy(behind.address);
    await test(connector, (during, fault) => strikeAt(connector, behind, proxy, during, fault));
  }));
}

async function strikeAt(
  connector: SocketConnector,
  behind: GuestBehindConnector,
  proxy: FaultProxy,
  during: "greeting" | "session",
  fault: ProxyFault,
): Promise<Outcome["error"]> {
  const at = `${connector.name}, ${during}, ${fault.kind} after ${fault.afterBytes} bytes`;
  const greets = during === "greeting";
  if (greets) proxy.strike(fault);
  const { error } = await attempt(
    () => openAt(connector, proxy.address, greets ? SHORT : PATIENT),
    async (session: Session) => {
      if (!greets) proxy.strike(fault);
      return await askRegistersAndMemory(session);
    },
    at,
  );
  await behind.requireRunning(at);
  return error;
}
