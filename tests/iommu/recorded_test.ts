import { assertEquals, assertRejects } from "@std/assert";
import type { MappingsOptions } from "../../mod.ts";
import { deviceMappings, type DmaMapping, groupDevices } from "../../src/entries/devices.ts";
import type { AddressRange } from "../../src/translate/address_range.ts";
import { SparseMemory } from "../../src/testing/mod.ts";

const RIGHTS = { read: true, write: true };
/** Two neighbours whose frames are neighbours too, one whose frame is not, one of other rights, and a gap. */
const RECORDED: readonly DmaMapping[] = [
  { iova: 0x1000n, physicalAddress: 0x5000n, lengthBytes: 0x1000, ...RIGHTS },
  { iova: 0x2000n, physicalAddress: 0x6000n, lengthBytes: 0x2000, ...RIGHTS },
  { iova: 0x4000n, physicalAddress: 0x1_0000n, lengthBytes: 0x1000, ...RIGHTS },
  { iova: 0x5000n, physicalAddress: 0x1_1000n, lengthBytes: 0x1000, read: true, write: false },
  { iova: 0x9000n, physicalAddress: 0x2_0000n, lengthBytes: 0x1000, read: false, write: true },
];

async function listed(range: AddressRange, options: MappingsOptions): Promise<unknown[]> {
  const memory = new SparseMemory({ ranges: [] });
  const runs: unknown[] = [];
  for await (const run of deviceMappings(memory, { recorded: RECORDED }, range, options)) {
    if (run.kind !== "mapping") throw new Error(run.kind);
    const { address, effective: { readable, writable }, lengthBytes, pages, physicalAddress } = run;
    runs.push([address, lengthBytes, physicalAddress, pages, readable, writable]);
  }
  return runs;
}

Deno.test("recorded mappings are listed as tables are: in runs of like pages", async () => {
  assertEquals(await listed({}, {}), [
    [0x1000n, 0x4000, null, 4, true, true],
    [0x5000n, 0x1000, 0x1_1000n, 1, true, false],
    [0x9000n, 0x1000, 0x2_0000n, 1, false, true],
  ]);
  assertEquals((await listed({}, { contiguous: true })).slice(0, 2), [
    [0x1000n, 0x3000, 0x5000n, 3, true, true],
    [0x4000n, 0x1000, 0x1_0000n, 1, true, true],
  ]);
});

Deno.test("recorded mappings are cut to whole pages of a range, and listed by pages", async () => {
  const range = { start: 0x2800n, lengthBytes: 0x1000 };
  assertEquals(await listed(range, {}), [[0x2000n, 0x2000, 0x6000n, 2, true, true]]);
  assertEquals(await listed(range, { pages: true }), [
    [0x2000n, 0x1000, 0x6000n, 1, true, true],
    [0x3000n, 0x1000, 0x7000n, 1, true, true],
  ]);
  const filter = ({ physicalAddress }: { physicalAddress: bigint }) => physicalAddress === 0x7000n;
  assertEquals(await listed({}, { filter }), [[0x3000n, 0x1000, 0x7000n, 1, true, true]]);
  assertEquals(await listed({ start: 0x6000n, lengthBytes: 0x1000 }, {}), []);
});

Deno.test("recorded mappings of any length are listed to a limit, and can be left", async () => {
  const huge: readonly DmaMapping[] = [
    { iova: 0n, physicalAddress: 0n, lengthBytes: 2 ** 52, ...RIGHTS },
  ];
  const memory = new SparseMemory({ ranges: [] });
  const none = { filter: () => false };
  const left = await Array.fromAsync(
    deviceMappings(memory, { recorded: huge }, {}, { ...none, maxTables: 2 }),
  );
  const address = 2n * 512n * 0x1000n;
  const lengthBytes = 2 ** 52 - Number(address);
  assertEquals(left, [{ kind: "truncated", address, lengthBytes, tables: 2 }]);
  const [run, ...others] = await Array.fromAsync(
    deviceMappings(memory, { recorded: huge }, {}, { maxTables: 0 }),
  );
  assertEquals([run!.lengthBytes, others.length], [2 ** 52, 0]);
  const leaving = new AbortController();
  const filter = ({ address }: { address: bigint }) => {
    if (address === 0n) setTimeout(() => leaving.abort(new Error("enough")));
    return false;
  };
  await assertRejects(
    () =>
      Array.fromAsync(
        deviceMappings(memory, { recorded: huge }, {}, { filter, signal: leaving.signal }),
      ),
    Error,
    "enough",
  );
});

Deno.test("devices of one of Linux's domains reach the same, of two do not", () => {
  const common = { state: "translated", domain: 1, recorded: RECORDED } as const;
  const groups = groupDevices([
    { ...common, device: "00:01.0", requesterId: 8, linuxDomain: 1n },
    { ...common, device: "00:02.0", requesterId: 16, linuxDomain: 1n },
    { ...common, device: "00:03.0", requesterId: 24, linuxDomain: 2n },
  ]);
  assertEquals(groups.map(({ devices }) => devices.length), [2, 1]);
});
