import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  decodeSnapshot,
  encodeSnapshot,
  formatAddress,
  mappings,
  type PhysicalMemory,
  type Regime,
  snapshot,
  walk,
} from "../../mod.ts";
import {
  dmaAccess,
  type IommuDevice,
  type IommuKind,
  readIommuDevices,
} from "../../src/entries/devices.ts";
import { iommuDeviceLine } from "../../src/report/mod.ts";
import { flagsText } from "../../src/repl/show/flags_text.ts";
import {
  IommuTableBuilder,
  type IommuTableFormat,
  ramRange,
  SparseMemory,
} from "../../src/testing/mod.ts";

const GIB = 1n << 30n;

function build(format: IommuTableFormat, levels = 4): [IommuTableBuilder, SparseMemory] {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 4n * GIB)] });
  return [new IommuTableBuilder(format, memory, { tablesAt: 0x10_0000n, levels }), memory];
}

const KIND_OF: Record<IommuTableFormat, IommuKind> = {
  "vtd-legacy": "vtd",
  "vtd-scalable-second": "vtd",
  "vtd-scalable-first": "vtd",
  amdvi: "amdvi",
};

async function deviceOf(
  kind: IommuKind,
  memory: PhysicalMemory,
  root: bigint,
  device: string,
): Promise<IommuDevice | undefined> {
  const { devices } = await readIommuDevices(kind, memory, root);
  return devices.find((each) => each.device === device);
}

/** The listing of a device and a walk of each page are both as it was built. */
async function compare(format: IommuTableFormat, levels: number): Promise<void> {
  const [builder, memory] = build(format, levels);
  const device = format === "amdvi" ? "00:1f.7" : "05:1f.7";
  builder.map(device, 0n, 0x8000_0000n, 4096);
  builder.map(device, 0x1000n, 0x8000_9000n, 4096, { read: true, write: false });
  if (!format.endsWith("first")) {
    builder.map(device, 0x2000n, 0x8000_2000n, 4096, { read: false, write: true });
  }
  builder.map(device, 0x20_0000n, 0x9020_0000n, 2 << 20);
  if (levels > 3) builder.map(device, GIB, 2n * GIB, 2 ** 30);
  if (levels > 3) builder.map(device, 1n << 46n, 0x7000n, 4096);
  const found = await deviceOf(KIND_OF[format], memory, builder.root, device);
  assert(found?.state === "translated" && found.regime);
  const built = builder.pagesOf(device);
  const listed = [];
  for await (const record of mappings(memory, found.regime, {}, { pages: true })) {
    assert(record.kind === "mapping");
    const { address, physicalAddress, lengthBytes, effective } = record;
    const { readable: read, writable: write } = effective;
    listed.push({ iova: address, physicalAddress, lengthBytes, read, write });
    const inside = address + 0x123n;
    const walked = await walk(memory, found.regime, inside);
    assert(walked.outcome === "mapped");
    assertEquals(walked.physicalAddress, physicalAddress! + 0x123n);
    assertEquals([walked.effective.readable, walked.effective.writable], [read, write]);
    const leaf = flagsText(walked.steps.at(-1)!);
    assertEquals(leaf.slice(0, 3), `${read ? "R" : "-"} ${write ? "W" : "-"}`, leaf);
  }
  assertEquals(listed, built.map((page) => ({ ...page })));
}

for (
  const [format, levels] of [
    ["vtd-legacy", 3],
    ["vtd-legacy", 4],
    ["vtd-legacy", 5],
    ["vtd-scalable-second", 4],
    ["vtd-scalable-second", 5],
    ["vtd-scalable-first", 4],
    ["vtd-scalable-first", 5],
    ["amdvi", 4],
    ["amdvi", 6],
  ] as const
) {
  Deno.test(`readIommuDevices() and walk() read ${format} with ${levels} levels`, async () => {
    await compare(format, levels);
  });
}

Deno.test("a device passes through, shares a domain, or has no entry", async () => {
  for (const format of Object.keys(KIND_OF) as IommuTableFormat[]) {
    const [builder, memory] = build(format);
    builder.passThrough("00:02.0", { domain: 7 });
    builder.map("00:03.0", 0x1000n, 0x5000n, 4096);
    builder.share("00:04.1", "00:03.0", { domain: 1 });
    const { devices, problems } = await readIommuDevices(KIND_OF[format], memory, builder.root);
    assertEquals(problems, []);
    assertEquals(devices.map(({ device, state, domain }) => [device, state, domain]), [
      ["00:02.0", "passThrough", 7],
      ["00:03.0", "translated", 1],
      ["00:04.1", "translated", 1],
    ]);
    assertEquals(devices[1]!.regime!.root, devices[2]!.regime!.root);
  }
});

Deno.test("AMD-Vi: pages of any power of two, and levels that are left out", async () => {
  const [builder, memory] = build("amdvi");
  const device = "00:03.0";
  for (let bits = 13; bits < 34; bits++) {
    builder.map(device, BigInt(bits) << 36n, 0n, 2 ** bits);
  }
  builder.mapSkipping(device, 0x8000_0000_5000n, 0xabcd_0000n);
  const found = await deviceOf("amdvi", memory, builder.root, device);
  for (const { iova, lengthBytes, physicalAddress } of builder.pagesOf(device)) {
    const last = iova + BigInt(lengthBytes) - 1n;
    for (const address of [iova, last]) {
      const walked = await walk(memory, found!.regime!, address);
      assert(walked.outcome === "mapped", `${lengthBytes} bytes at ${formatAddress(address)}`);
      assertEquals(walked.pageSizeBytes, lengthBytes);
      assertEquals(walked.physicalAddress, physicalAddress + (address - iova));
    }
    assertEquals((await walk(memory, found!.regime!, last + 1n)).outcome, "notPresent");
  }
  // The bits that the levels left out would index must be 0.
  const beside = 0x8000_0000_5000n | 1n << 30n;
  assertEquals((await walk(memory, found!.regime!, beside)).outcome, "notPresent");
});

Deno.test("AMD-Vi: what the device's own entry forbids, no table gives", async () => {
  const [builder, memory] = build("amdvi");
  builder.map("00:00.0", 0x1000n, 0x5000n, 4096);
  const at = builder.root & ~0xfffn;
  memory.writeU64(at, memory.readU64(at) & ~(1n << 62n)); // IW
  const found = await deviceOf("amdvi", memory, builder.root, "00:00.0");
  const walked = await walk(memory, found!.regime!, 0x1000n);
  assert(walked.outcome === "mapped");
  assertEquals([walked.effective.readable, walked.effective.writable], [true, false]);
});

Deno.test("hostile tables end, and what cannot be read is told", async () => {
  const [builder, memory] = build("vtd-legacy");
  const device = "00:03.0";
  const root = builder.tablesOf(device);
  // A table that points to itself at every index, and pointers out of RAM.
  for (let i = 0n; i < 512n; i++) memory.writeU64(root + i * 8n, root | 3n);
  memory.writeU64(root, 0xff_0000_0003n | 1n << 44n);
  const found = await deviceOf("vtd", memory, builder.root, device);
  const kinds = new Map<string, number>();
  for await (const { kind } of mappings(memory, found!.regime!, {}, { maxTables: 2000 })) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  assert(kinds.has("unreadable"));
  assert(kinds.get("truncated") === 1 || kinds.has("shared"));
  const first = builder.root & ~0xfffn;
  memory.writeU64(first + 16n, 0xff00_0000_0001n); // bus 1: a context table out of RAM
  const { problems, devices } = await readIommuDevices("vtd", memory, builder.root);
  assertEquals(problems, ["the context table at 0xff0000000000 lies outside RAM"]);
  assertEquals(devices.length, 1);
});

Deno.test("first-level tables that are nested in second-level ones are read through these", async () => {
  const [builder, memory] = build("vtd-scalable-second");
  const elsewhere = 0x3000_0000n;
  const inner = new SparseMemory({ ranges: [...memory.ranges] });
  const own = new IommuTableBuilder("vtd-scalable-first", inner, { tablesAt: 0x20_0000n });
  own.map("00:03.0", 0x7000n, 0x9000n, 4096, { read: true, write: true });
  own.map("00:03.0", 0x8000n, 0xa000n, 4096, { read: true, write: false });
  own.map("00:03.0", 0x9000n, 0xb000n, 4096, { read: true, write: true });
  own.map("00:03.0", 0xa000n, 0xc000n, 4096, { read: true, write: true });
  // What a guest takes for its memory, and where it is: the second-level tables of another device.
  for (const { address, bytes } of inner.writtenRuns()) {
    memory.writeBytes(address + elsewhere, bytes);
    for (let at = 0; at < bytes.length; at += 4096) {
      const from = address + BigInt(at);
      builder.map("00:04.0", from, from + elsewhere, 4096, { read: true, write: false });
    }
  }
  builder.map("00:04.0", 0x9000n, 0x5_9000n, 4096);
  builder.map("00:04.0", 0xa000n, 0x5_a000n, 4096);
  builder.map("00:04.0", 0xb000n, 0x5_b000n, 4096, { read: true, write: false });
  const [first, second] = [own.tablesOf("00:03.0"), builder.tablesOf("00:04.0")];
  builder.nest("00:03.0", { domain: 9, first, second });
  const nested = (await deviceOf("vtd", memory, builder.root, "00:03.0"))!;
  assertEquals([nested.state, nested.domain, nested.regime?.stage2?.root], [
    "translated",
    9,
    second,
  ]);
  const line = iommuDeviceLine(nested);
  assertStringIncludes(
    line,
    `, root 0x${first.toString(16)}, nested in VT-d second level, 4 levels`,
  );

  const listed = async (memory: PhysicalMemory, regime: Regime): Promise<unknown[]> =>
    (await Array.fromAsync(mappings(memory, regime, {}, { pages: true }))).map((record) =>
      record.kind === "mapping"
        ? [
          record.address,
          record.physicalAddress,
          record.effective.readable,
          record.effective.writable,
        ]
        : [record.address, record.kind]
    );
  const expected: unknown[] = [
    [0x7000n, 0x5_9000n, true, true],
    [0x8000n, 0x5_a000n, true, false],
    [0x9000n, 0x5_b000n, true, false],
    [0xa000n, "unreadable"],
  ];
  assertEquals(await listed(memory, nested.regime!), expected);
  const file = await encodeSnapshot(await snapshot(memory, nested.regime!));
  const taken = await decodeSnapshot(file);
  assertEquals(await listed(taken.memory, taken.context), expected);

  const denied = dmaAccess(await walk(memory, nested.regime!, 0x9000n), { write: true });
  assertEquals(denied, {
    outcome: "blocked",
    reason: "the device may not write there (the second stage decides)",
  });
  assertEquals(dmaAccess(await walk(memory, nested.regime!, 0x9123n)), {
    outcome: "ok",
    physicalAddress: 0x5_b123n,
  });
  const lost = await walk(memory, nested.regime!, 0xa000n);
  assertEquals(lost.outcome === "unreadable" && lost.failure, "secondStage");
});

Deno.test("nested tables with an address width that is none are blocked", async () => {
  const [builder, memory] = build("vtd-scalable-second");
  builder.nest("00:03.0", { domain: 9 });
  const context = memory.readU64(builder.root & ~0xfffn) & ~0xfffn;
  const directory = memory.readU64(context + 0x18n * 32n) & ~0xfffn;
  const entry = memory.readU64(directory) & ~0xfffn;
  memory.writeU64(entry, memory.readU64(entry) | 7n << 2n);
  const found = await deviceOf("vtd", memory, builder.root, "00:03.0");
  assertEquals([found?.state, found?.reason], [
    "blocked",
    "its entry's address width (AW=7) is reserved",
  ]);
});

Deno.test("PASID tables out of RAM, beyond the directory, or missing: told for their device", async () => {
  for (
    const [word, index, state, reason] of [
      [0xff00_0000_0001n, 0n, "unknown", "PASID directory at 0xff0000000000 lies outside RAM"],
      [1n << 20n | 1n, 0n, "blocked", "no table for PASID 0"],
      [8192n, 1n, "blocked", "PASID 8192 lies beyond its PASID directory"],
    ] as const
  ) {
    const [builder, memory] = build("vtd-scalable-second");
    builder.map("00:00.0", 0x1000n, 0x5000n, 4096);
    builder.map("00:01.0", 0x1000n, 0x5000n, 4096);
    const context = memory.readU64(builder.root & ~0xfffn) & ~0xfffn;
    const empty = builder.newTable();
    memory.writeU64(context + index * 8n, word === (1n << 20n | 1n) ? empty | 1n : word);
    const found = await deviceOf("vtd", memory, builder.root, "00:00.0");
    assertEquals(found?.state, state);
    assertStringIncludes(found!.reason!, reason);
    assertEquals((await deviceOf("vtd", memory, builder.root, "00:01.0"))?.state, "translated");
  }
});

Deno.test("AMD-Vi: tables that lead back up, and out of RAM, end and are told", async () => {
  const [builder, memory] = build("amdvi");
  const device = "00:03.0";
  builder.map(device, 0x1000n, 0x5000n, 4096);
  const root = builder.tablesOf(device);
  for (let i = 1n; i < 512n; i++) memory.writeU64(root + i * 8n, root | 1n | 4n << 9n | 3n << 61n);
  memory.writeU64(root + 8n, 0xff_ffff_f000n | 1n | 3n << 9n | 3n << 61n);
  const found = await deviceOf("amdvi", memory, builder.root, device);
  const kinds = new Map<string, number>();
  for await (const { kind } of mappings(memory, found!.regime!)) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  assertEquals([...kinds.keys()].sort(), ["mapping", "reservedBits", "unreadable"]);
  const { problems } = await readIommuDevices("amdvi", memory, 0xff00_0000_0000n | 511n);
  assertStringIncludes(problems[0]!, "the device table at 0xff0000000000 lies outside RAM");
});

Deno.test("AMD-Vi: entries that are not valid let all DMA through; many of them are counted", async () => {
  const [builder, memory] = build("amdvi");
  for (let i = 0n; i < 2n; i++) memory.writeU64((builder.root & ~0xfffn) + i * 32n, 0n);
  const { devices, problems } = await readIommuDevices("amdvi", memory, builder.root);
  assertEquals(devices.map(({ device, state, domain }) => [device, state, domain]), [
    ["00:00.0", "passThrough", null],
    ["00:00.1", "passThrough", null],
  ]);
  assertEquals(problems, []);
  for (let i = 0n; i < 256n; i++) memory.writeU64((builder.root & ~0xfffn) + i * 32n, 0n);
  const all = await readIommuDevices("amdvi", memory, builder.root);
  assertEquals(all.devices.length, 64);
  assertStringIncludes(all.problems[0]!, "192 more entries");
});

Deno.test("first-level tables that point to themselves end", async () => {
  const [builder, memory] = build("vtd-scalable-first");
  const device = "00:03.0";
  const root = builder.tablesOf(device);
  for (let i = 0n; i < 512n; i++) memory.writeU64(root + i * 8n, root | 7n);
  const found = await deviceOf("vtd", memory, builder.root, device);
  let records = 0;
  for await (const _ of mappings(memory, found!.regime!, {}, { maxTables: 500 })) records++;
  assert(records > 0 && records < 100_000, `${records}`);
});

Deno.test("every bus with the same full context table: bounded, and said", async () => {
  const [builder, memory] = build("vtd-legacy");
  const first = builder.root;
  const context = builder.newTable();
  for (let i = 0n; i < 256n; i++) {
    memory.writeU64(context + i * 16n, 1n);
    memory.writeU64(context + i * 16n + 8n, 2n);
    memory.writeU64(first + i * 16n, context | 1n);
  }
  const { devices, problems } = await readIommuDevices("vtd", memory, builder.root);
  assertEquals(devices.length, 4096);
  assertStringIncludes(problems.join(), "the rest is left out");
});

Deno.test("reserved modes and widths are told, not read", async () => {
  const [builder, memory] = build("vtd-legacy");
  const device = "00:00.0";
  builder.map(device, 0n, 0x1000n, 4096);
  const context = memory.readU64(builder.root) & ~0xfffn;
  for (
    const [low, high, part] of [
      [1n | 3n << 2n, 2n, "translation type"],
      [1n, 7n, "AW=7"],
      [1n, 0n, "AW=0"],
    ] as const
  ) {
    memory.writeU64(context, low);
    memory.writeU64(context + 8n, high);
    const found = await deviceOf("vtd", memory, builder.root, device);
    assertEquals(found?.state, "blocked");
    assertStringIncludes(found!.reason!, part);
  }
  const { problems } = await readIommuDevices("vtd", memory, builder.root | 2n << 10n);
  assertStringIncludes(problems.join(), "RTADDR.TTM");
});

Deno.test("tables that change while they are read are told", async () => {
  const [builder, memory] = build("vtd-legacy");
  builder.map("00:03.0", 0n, 0x1000n, 4096);
  let reads = 0n;
  const changing: PhysicalMemory = {
    read(address, lengthBytes, options) {
      memory.writeU64(builder.root + 0xff0n, reads++ << 12n);
      return memory.read(address, lengthBytes, options);
    },
  };
  const { problems } = await readIommuDevices("vtd", changing, builder.root);
  assertEquals(problems, ["the tables changed while they were read"]);
});
