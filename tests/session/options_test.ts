/** Options that mean nothing are refused by every call that takes some, before the guest is asked. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  aliases,
  audit,
  bits,
  CachingMemory,
  checkFleet,
  connect,
  connectGdb,
  connectHmp,
  connectMonitor,
  connectQmp,
  crosscheckTables,
  decodeSnapshot,
  diff,
  extendedPageTables,
  HmpClient,
  InvalidArgumentError,
  listTables,
  mappings,
  MonitorMemory,
  pagingContext,
  parseRecording,
  QmpClient,
  readRegisters,
  record,
  ReplayMonitor,
  type Session,
  snapshot,
  verifyRange,
  verifyVfio,
  walk,
  walkMany,
} from "../../mod.ts";
import { monitorSource } from "../../src/entries/extend.ts";
import { processesHead, rangeText, sarifLog, verificationText } from "../../src/report/mod.ts";
import { simulatedGuest } from "../../src/testing/mod.ts";

const VA = 0x7f12_3456_7000n;
const guest = simulatedGuest();
const { memory } = guest;
const context = pagingContext(guest.registers(0));
const range = { start: VA, lengthBytes: 4096 };

// deno-lint-ignore no-explicit-any -- what a user writes who does not check types
type Loose = any;

async function all(generator: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of generator);
}

const RECORDING = parseRecording(
  '{"pagewalk":"recording","version":1,"qemuVersion":"7.2.22","endpointKind":"tcp"}\n',
);

/** What throws at once, as one that rejects. */
async function later(call: () => unknown): Promise<void> {
  await Promise.resolve();
  call();
}

/** Each call, with options put in. */
const CALLS: Record<string, (session: Session, options: Loose) => Promise<unknown>> = {
  "session.walk": (s, o) => s.walk(VA, o),
  "session.translate": (s, o) => s.translate(VA, o),
  "session.verify": (s, o) => s.verify(VA, { user: false }, o),
  "session.verify's expectation": (s, o) => s.verify(VA, { user: false, ...o }),
  "session.verifyRange": (s, o) => s.verifyRange(VA, 4096, { user: false }, o),
  "session.verifyRange's expectation": (s, o) => s.verifyRange(VA, 4096, { user: false, ...o }),
  "session.mappings": (s, o) => all(s.mappings(range, o)),
  "session.mappings's range": (s, o) => all(s.mappings({ ...range, ...o })),
  "session.aliases": (s, o) => all(s.aliases(0n, o)),
  "session.access": (s, o) => s.access(VA, {}, o),
  "session.access's access": (s, o) => s.access(VA, o),
  "session.snapshot": (s, o) => s.snapshot(o),
  "session.audit": (s, o) => all(s.audit(o)),
  "session.watch": (s, o) => all(s.watch(VA, { signal: AbortSignal.abort(), ...o })),
  "session.tables": (s, o) => s.tables(o),
  "session.pageTable": (s, o) => s.pageTable(o),
  "session.addressSpace": (s, o) => s.addressSpace(o),
  "connect": (_, o) => connect("sim:", o),
  "checkFleet": (_, o) => all(checkFleet(["sim:"], () => Promise.resolve(), o)),
  "crosscheckTables": (s, o) => crosscheckTables([s, s], o),
  "walk": (_, o) => walk(memory, context, VA, o),
  "listTables": (_, o) => all(listTables(memory, context, {}, o)),
  "mappings": (_, o) => all(mappings(memory, context, {}, o)),
  "aliases": (_, o) => all(aliases(memory, context, 0n, o)),
  "verifyRange": (_, o) => verifyRange(memory, context, range, { user: false }, o),
  "snapshot": (_, o) => snapshot(memory, context, o),
  "audit": (_, o) => all(audit({ memory, context }, o)),
  "diff": (_, o) => all(diff({ memory, context }, { memory, context }, o)),
  "walkMany": (_, o) => walkMany(memory, context, [VA], o),
  "monitor.command": (s, o) => s.monitor.command("info status", o),
  "readRegisters": (s, o) => readRegisters(s.monitor, o),
  "HmpClient.open": (_, o) => HmpClient.open(guest.transport(), o),
  "QmpClient.open": (_, o) => QmpClient.open(guest.transport({ protocol: "qmp" }), o),
  "connectHmp": (_, o) => connectHmp("127.0.0.1:1", o),
  "connectQmp": (_, o) => connectQmp("127.0.0.1:1", o),
  "connectMonitor": (_, o) => connectMonitor("127.0.0.1:1", o),
  "connectGdb": (_, o) => connectGdb("gdb:1", o),
  "record": (s, o) => record("/nowhere/at/all", s.monitor, o),
  "ReplayMonitor": (_, o) => later(() => new ReplayMonitor(RECORDING, "replay:", o)),
  "ReplayMonitor.command": (_, o) => new ReplayMonitor(RECORDING).command("info status", o),
  "monitorSource": (s, o) => later(() => monitorSource(s.monitor, o)),
  "MonitorMemory": (s, o) => later(() => new MonitorMemory(s.monitor, o)),
  "CachingMemory": (_, o) => later(() => new CachingMemory(memory, o)),
  "decodeSnapshot": (_, o) => decodeSnapshot(new Uint8Array(), o),
  "bits": (_, o) => later(() => bits(0x67n, o)),
  "extendedPageTables": (_, o) => later(() => extendedPageTables(0x1000n, o)),
  "verifyVfio": (s, o) => all(verifyVfio(s, o)),
  "sarifLog": (_, o) => later(() => sarifLog([], o)),
  "rangeText": async (s, o) => rangeText(await s.verifyRange(VA, 4096), { source: "x", ...o }),
  "verificationText": async (s, o) => verificationText(await s.verify(VA), { source: "x", ...o }),
  "processesHead": (_, o) => later(() => processesHead(o)),
  "pagingContext": (_, o) => Promise.resolve().then(() => pagingContext(guest.registers(0), o)),
};

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`${name} refuses keys that it does not know`, async () => {
    await using session = await connect("sim:");
    await assertRejects(() => call(session, { quux: 1 }), InvalidArgumentError, '"quux"');
  });
}

Deno.test("calls say what was most likely meant", async () => {
  await using session = await connect("sim:");
  for (
    const [call, options, meant] of [
      ["session.access's access", { user: true }, "did you mean cpl: 3?"],
      ["session.verify's expectation", { effective: true }, 'did you mean scope: "effective"?'],
      ["session.verify's expectation", { writeable: true }, "did you mean writable?"],
      ["session.mappings", { flter: "w+x" }, "did you mean filter?"],
      ["session.mappings", { cr3: 0 }, "did you mean root?"],
      ["session.mappings's range", { filter: () => true }, "after the range"],
      ["session.walk", { user: true }, "expectation"],
      ["session.verify", { procss: 1, cpuu: 1 }, "procss"],
      ["connect", { timeoutMs: 1 }, "commandTimeoutMs"],
    ] as const
  ) await assertRejects(() => CALLS[call]!(session, options), InvalidArgumentError, meant);
});

Deno.test("calls refuse values of the wrong type", async () => {
  await using session = await connect("sim:");
  for (
    const [call, options, wanted] of [
      ["session.verify's expectation", { user: "no" }, "true or false"],
      ["session.verify's expectation", { scope: "both" }, '"leaf" or "effective"'],
      ["session.access's access", { cpl: 4 }, "from 0 to 3"],
      ["session.walk", { cpu: 1.5 }, "whole number"],
      ["session.walk", { cpu: "0" }, "whole number"],
      ["session.walk", { pid: -1 }, "whole number"],
      ["session.walk", { comm: "" }, "not empty"],
      ["session.walk", { sampleMs: NaN }, "milliseconds"],
      ["session.walk", { root: {} }, "an address"],
      ["session.mappings", { filter: "w+x" }, "a function"],
      ["session.mappings's range", { lengthBytes: NaN }, "whole number"],
      ["session.mappings's range", { lengthBytes: 0.5 }, "whole number"],
      ["session.verifyRange", { keep: -1 }, "whole number"],
      ["listTables", { maxTables: Infinity }, "whole number"],
      ["connect", { mode: "6-level" }, '"5-level"'],
    ] as const
  ) await assertRejects(() => CALLS[call]!(session, options), InvalidArgumentError, wanted);
  for (const lengthBytes of [NaN, -4096, 0, 0.5, Infinity]) {
    await assertRejects(() => session.verifyRange(VA, lengthBytes), InvalidArgumentError);
  }
});

Deno.test("sampling without an address is refused, not ignored", async () => {
  await using session = await connect("sim:");
  for (
    const call of [
      () => session.pageTable({ sampleMs: 10 }),
      () => session.tables({ sampleMs: 10 }),
      () => session.snapshot({ sampleMs: 10 }),
      () => all(session.mappings({}, { sampleMs: 10 })),
      () => all(session.audit({ sampleMs: 10 })),
      () => crosscheckTables([session, session], { sampleMs: 10 }),
    ]
  ) await assertRejects(call, InvalidArgumentError, "address");
  assertEquals((await session.tables({ sampleMs: 10 }, VA)).source.kind, "sample");
});

Deno.test("a mistaken option is refused before the guest is asked anything", async () => {
  await using session = await connect("sim:");
  const { monitor } = session;
  let asked = 0;
  const command = monitor.command.bind(monitor);
  monitor.command = (...args) => (asked++, command(...args));
  for (const name of Object.keys(CALLS).filter((each) => each.startsWith("session."))) {
    await assertRejects(
      () => CALLS[name]!(session, { quux: 1 }),
      InvalidArgumentError,
      undefined,
      name,
    );
  }
  assertEquals(asked, 0);
  assert((await session.walk(VA)).outcome === "mapped" && asked > 0);
});
