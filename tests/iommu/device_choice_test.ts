/** A device's tables wherever a process's can be chosen: walks, listings, snapshots, differences, watches. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  decodeSnapshot,
  describeSource,
  diff,
  encodeSnapshot,
  GuestSession,
  InvalidArgumentError,
  type Monitor,
  type PhysicalMemory,
  Session,
} from "../../mod.ts";
import type { GuestSource } from "../../src/entries/extend.ts";
import { IommuTableBuilder, ramRange, SparseMemory } from "../../src/testing/mod.ts";

const DEVICE = "00:03.0";
const TREE = [
  "FlatView #0",
  ' AS "memory", root: system',
  " Root memory region: system",
  "  0000000000000000-000000003fffffff (prio 0, ram): pc.ram",
  "  00000000fed90000-00000000fed9022f (prio 0, i/o): intel_iommu",
  "",
].join("\n");

/** A session whose monitor knows an IOMMU and nothing else. */
function iommuGuest() {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
  builder.map(DEVICE, 0x1000n, 0x5000n, 4096);
  builder.map(DEVICE, 0x2000n, 0x6000n, 4096, { read: true, write: false });
  builder.map(DEVICE, 0x20_0000n, 0x60_0000n, 2 << 20);
  builder.passThrough("00:04.0", { domain: 7 });
  const word = (value: bigint) => `0x${(value & 0xffff_ffffn).toString(16).padStart(8, "0")}`;
  const replies: Record<string, string> = {
    "info mtree -f": TREE,
    "info pci": "",
    "xp /2wx 0xfed90020": `00000000fed90020: ${word(builder.root)} ${word(builder.root >> 32n)}`,
  };
  const monitor: Partial<Monitor> = {
    // deno-lint-ignore require-await -- a monitor's answers come later
    async command(line) {
      const reply = replies[line];
      if (reply === undefined) throw new Error(`nobody answers ${line}`);
      return reply;
    },
  };
  const cpus = new Proxy({}, {
    get: (_, name) => {
      throw new Error(`registers were asked for: ${String(name)}`);
    },
  });
  const parts: Partial<GuestSource> = {
    memory,
    monitor: monitor as Monitor,
    cpus: cpus as GuestSource["cpus"],
    endpoint: "stub",
    qemuVersion: "",
    close: () => Promise.resolve(),
  };
  return { source: parts as GuestSource, memory, builder };
}

Deno.test("a device's tables are chosen as a process's are", async () => {
  const { source } = iommuGuest();
  await using guest = new Session({ source });
  const table = await guest.pageTable({ device: "03.0" });
  assertEquals(describeSource(table.source), "device 00:03.0, domain 1");
  const walked = await guest.walk(0x1234n, { device: DEVICE });
  assert(walked.outcome === "mapped");
  assertEquals(walked.physicalAddress, 0x5234n);
  assertEquals(await guest.translate(0x20_0042n, { device: DEVICE }), 0x60_0042n);
  const runs = await Array.fromAsync(guest.mappings({}, { device: DEVICE }));
  assertEquals(runs.map(({ address, lengthBytes }) => [address, lengthBytes]), [
    [0x1000n, 4096],
    [0x2000n, 4096],
    [0x20_0000n, 2 << 20],
  ]);
  const aliases = await Array.fromAsync(guest.aliases(0x6008n, { device: DEVICE }));
  assertEquals(aliases.map(({ address }) => address), [0x2008n]);
  assertEquals(await Array.fromAsync(guest.audit({ device: DEVICE })), []);
  await assertRejects(
    () => guest.walk(0n, { device: DEVICE, pid: 1 }),
    InvalidArgumentError,
    "pid and device exclude each other",
  );
  await assertRejects(() => guest.walk(0n, { device: "00:04.0" }), Error, "passed through");
});

Deno.test("what a device may do is said, by its tables alone", async () => {
  const { source } = iommuGuest();
  await using guest = new Session({ source });
  const of = { device: DEVICE };
  assertEquals(await guest.access(0x1008n, { write: true }, of), {
    outcome: "ok",
    physicalAddress: 0x5008n,
  });
  assertEquals(await guest.access(0x2000n, { write: true }, of), {
    outcome: "blocked",
    reason: "the device may not write there (SL-PTE decides)",
  });
  assertEquals((await guest.access(0x2000n, undefined, of)).outcome, "ok");
  assertEquals((await guest.access(0x3000n, {}, of)).outcome, "blocked");
  await assertRejects(
    () => guest.access(0x1000n, { cpl: 3 }, of),
    InvalidArgumentError,
    "Unknown key",
  );
});

Deno.test("no verdict on _PAGE_USER comes from tables that have no such bit", async () => {
  const { source } = iommuGuest();
  await using guest = new Session({ source });
  const of = { device: DEVICE };
  for (
    const judge of [
      () => guest.verify(0x1000n, undefined, of),
      () => guest.verifyRange(0x1000n, 4096, undefined, of),
      () => guest.verify(0x1000n, { user: true }, of),
      () => guest.verify(0x9000n, { executable: false }, of),
    ]
  ) await assertRejects(judge, InvalidArgumentError, "have no right");
  assertEquals((await guest.verify(0x2000n, { writable: false }, of)).verdict, "pass");
  assertEquals((await guest.verifyRange(0x1000n, 8192, { writable: true }, of)).verdict, "fail");
});

Deno.test("a snapshot of a device's tables is kept in a file and compared", async () => {
  const { source, builder } = iommuGuest();
  await using guest = new Session({ source });
  const taken = await guest.snapshot({ device: DEVICE });
  const before = await decodeSnapshot(await encodeSnapshot(taken));
  assertEquals(before.context, taken.context);
  builder.map(DEVICE, 0x3000n, 0x9000n, 4096);
  const { context } = await guest.pageTable({ device: DEVICE });
  const found = await Array.fromAsync(diff(before, { memory: guest.memory, context }));
  assertEquals(found.map(({ kind, address }) => [kind, address]), [["appeared", 0x3000n]]);
});

for (const format of ["vtd-scalable-second", "vtd-scalable-first", "amdvi"] as const) {
  Deno.test(`a snapshot file brings tables of ${format} back`, async () => {
    const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
    const builder = new IommuTableBuilder(format, memory, { tablesAt: 0x10_0000n });
    builder.map(DEVICE, 0x1000n, 0x5000n, 4096);
    const { snapshot } = await import("../../mod.ts");
    const { readIommuDevices } = await import("../../src/entries/devices.ts");
    if (format === "amdvi") {
      const entry = (builder.root & ~0xfffn) + 0x18n * 32n;
      memory.writeU64(entry, memory.readU64(entry) & ~(1n << 62n)); // IW
    }
    const kind = format === "amdvi" ? "amdvi" : "vtd";
    const { devices: [device] } = await readIommuDevices(kind, memory, builder.root);
    const { context } = await decodeSnapshot(
      await encodeSnapshot(await snapshot(memory, device!.regime!)),
    );
    assertEquals(context, device!.regime);
  });
}

Deno.test("a watch sees what a device is given", async () => {
  const { source, builder } = iommuGuest();
  await using guest = new Session({ source });
  const outcomes: string[] = [];
  for await (const { walk } of guest.watch(0x3000n, { device: DEVICE, intervalMs: 1 })) {
    outcomes.push(walk.outcome);
    if (walk.outcome === "mapped") break;
    builder.map(DEVICE, 0x3000n, 0x9000n, 4096);
  }
  assertEquals(outcomes, ["notPresent", "mapped"]);
});

Deno.test("a watch that is ended before its tables are found ends quietly", async () => {
  const { source } = iommuGuest();
  const end = new AbortController();
  const read = source.memory.read.bind(source.memory);
  const memory: PhysicalMemory = {
    read(address, lengthBytes, options) {
      end.abort();
      options?.signal?.throwIfAborted();
      return read(address, lengthBytes, options);
    },
  };
  await using guest = new Session({ source: { ...source, memory } });
  const watch = guest.watch(0x1000n, { device: DEVICE, signal: end.signal });
  assertEquals(await Array.fromAsync(watch), []);
});

Deno.test("a session for single pages says that it reads no device's tables", async () => {
  const { source } = iommuGuest();
  await using guest = new GuestSession({ source });
  await assertRejects(() => guest.walk(0n, { device: DEVICE }), InvalidArgumentError, "connect()");
});
