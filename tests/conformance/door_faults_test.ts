import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  connectHmp,
  ConnectionLostError,
  MonitorError,
  readStatus,
  ReplyTimeoutError,
  type Session,
} from "../../mod.ts";
import { type RunningBareGuest, startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";
import { FaultProxy, type ProxyFault } from "./_fault_proxy.ts";

const TIMEOUT_MS = 300;

/** The doors on TCP, by the port of the guest that each is at. */
const DOORS: [name: string, port: (guest: RunningBareGuest) => number, prefix: string][] = [
  ["HMP", (guest) => guest.monitorPort, ""],
  ["QMP", (guest) => guest.qmpPort!, "qmp:"],
  ["gdbstub", (guest) => guest.gdbPort!, "gdb:"],
];

const AFTER_BYTES = [0, 1, 2, 7, 40, 90, 200, 900];

for (const [name, portOf, prefix] of DOORS) {
  liveTest(
    `faults on the ${name} door end in typed errors in time, and the guest runs on`,
    async () => {
      await using guest = await startBareGuest("4-level", {
        monitorSocket: true,
        qmp: true,
        gdb: true,
      });
      await using proxy = new FaultProxy(portOf(guest));
      for (const kind of ["cut", "silence", "garbage"] as const) {
        for (const afterBytes of AFTER_BYTES) {
          proxy.heal();
          await check(await open(), { kind, afterBytes });
          await using monitor = await connectHmp(`unix:${guest.monitorSocket}`);
          await eventually(async () => (await readStatus(monitor)).running);
        }
      }

      /** Reads until the fault has struck, and says what comes of it. */
      async function check(session: Session, fault: ProxyFault): Promise<void> {
        await session.memory.read(0x1000n, 8);
        proxy.strike(fault);
        const started = performance.now();
        const at = `${name}, ${fault.kind} after ${fault.afterBytes} bytes`;
        const error = await assertRejects(
          async () => {
            for (let i = 0; i < 20; i++) await session.registers(0);
          },
          MonitorError,
          "",
          at,
        );
        const expected = fault.kind === "silence" ? ReplyTimeoutError : ConnectionLostError;
        // Within console output garbage may be taken for text until a reply is late.
        const late = fault.kind === "garbage" && error instanceof ReplyTimeoutError;
        assert(error instanceof expected || late, `${at}: ${error}`);
        assert(performance.now() - started < 5 * TIMEOUT_MS, `${at} took too long`);
        if (fault.kind !== "cut") proxy.heal();
        await session.close();
      }
      function open(): Promise<Session> {
        return connect(`${prefix}${proxy.port}`, { commandTimeoutMs: TIMEOUT_MS });
      }
    },
  );

  liveTest(`a QEMU that is killed ends what waits at the ${name} door`, async () => {
    await using guest = await startBareGuest("4-level", { qmp: true, gdb: true });
    await using session = await connect(`${prefix}${portOf(guest)}`);
    await session.registers(0);
    const waiting = Promise.allSettled(Array.from({ length: 8 }, () => session.registers(0)));
    await guest.process.kill();
    await waiting;
    await assertRejects(() => session.registers(0), ConnectionLostError);
    await assertRejects(() => session.registers(0), ConnectionLostError);
  });
}

async function eventually(isTrue: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(await isTrue(), true, "the guest was left paused");
}
