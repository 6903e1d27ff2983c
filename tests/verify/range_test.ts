/** verifyRange() against one judgement a page by the independent builder, and its edges. */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { type PagingContext, pagingContext } from "../../src/arch/x86/paging_context.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import type { Expectation } from "../../src/verify/expectation.ts";
import { walk } from "../../src/translate/walk.ts";
import { judgeRange, verifyRange } from "../../src/verify/range.ts";
import type { RangeVerdict } from "../../src/verify/range_verdict.ts";
import { buildTables, MODES, plans } from "../mappings/_random_tables.ts";

const START = 0x7f12_3456_7000n;

function tables(): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  return new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
}

/** 256 pages of a DMA buffer; `_PAGE_USER` is clear but on those named. */
function buffer(stillUser: number[] = []): PageTableBuilder {
  const builder = tables();
  for (let page = 0; page < 256; page++) {
    const user = stillUser.includes(page);
    builder.map(START + BigInt(page) * 4096n, 0x20_0000n + BigInt(page) * 4096n, "4K", {
      user,
      writable: true,
    });
  }
  return builder;
}

function verify(
  builder: PageTableBuilder,
  lengthBytes = 0x10_0000,
  expectation?: Expectation,
  start = START,
): Promise<RangeVerdict> {
  return verifyRange(builder.memory, contextOf(builder), { start, lengthBytes }, expectation);
}

function contextOf(builder: PageTableBuilder): PagingContext {
  return pagingContext(registersFor(builder));
}

const counts = (v: RangeVerdict) => [v.verdict, v.pages, v.passed, v.failed, v.inconclusive];

Deno.test("verifyRange() judges every page of a buffer", async () => {
  const good = await verify(buffer());
  assertEquals(counts(good), ["pass", 256, 256, 0, 0]);
  assertEquals([good.firstFailure, good.failures, good.gaps], [null, [], []]);

  const bad = await verify(buffer([7, 9]));
  assertEquals(counts(bad), ["fail", 256, 254, 2, 0]);
  assertEquals(bad.firstFailure, START + 0x7000n);
  assertEquals(bad.failures.map((f) => f.address), [START + 0x7000n, START + 0x9000n]);
  assertEquals(bad.failures[0]!.reason, "_PAGE_USER is set in the PTE");
  assertEquals(bad.failures[0]!.entry!.raw & 4n, 4n);
  assertEquals(bad.failures[0]!.physicalAddress, 0x20_7000n);
});

Deno.test("verifyRange() reports holes, swapped and PROT_NONE pages as what they are", async () => {
  const builder = buffer();
  const at = (page: number) => START + BigInt(page) * 4096n;
  builder.change(at(3), 1, () => 0n);
  builder.change(at(4), 1, () => 0n);
  builder.change(at(5), 1, () => 0x00ab_cdeen << 8n << 1n);
  builder.change(at(9), 1, (raw) => (raw & ~1n) | 0x100n);
  builder.change(at(11), 1, (raw) => raw | (1n << 51n));
  const verdict = await verifyRange(
    builder.memory,
    pagingContext(registersFor(builder), { physicalAddressBits: 40 }),
    { start: START, lengthBytes: 0x10_0000 },
  );
  assertEquals(counts(verdict), ["inconclusive", 256, 251, 0, 5]);
  assertEquals(verdict.gaps.map((g) => [g.address, g.lengthBytes, g.cause, g.reason]), [
    [at(3), 8192, "notPresent", "no page is mapped"],
    [at(5), 4096, "notPresent", "the page is not present: swapped out"],
    [at(9), 4096, "notPresent", "the page is not present: PROT_NONE, or marked for NUMA balancing"],
    [
      at(11),
      4096,
      "reservedBits",
      "the PT entry is present but sets address bits at or above MAXPHYADDR",
    ],
  ]);
  assertEquals(verdict.gapCount, 4);
  const absent = await verify(builder, 8192, { present: false }, at(3));
  assertEquals(counts(absent), ["pass", 2, 2, 0, 0]);
});

Deno.test("verifyRange() counts a large page once, and says how much of the range it is", async () => {
  const builder = tables();
  builder.map(0x4000_0000n, 0x20_0000n, "2M", { user: false });
  builder.map(0x4020_0000n, 0x40_0000n, "4K", { user: true });
  const verdict = await verify(builder, 0x20_1000, undefined, 0x4000_0000n);
  assertEquals(counts(verdict), ["fail", 2, 1, 1, 0]);
  assertEquals(verdict.smallPages, 513);
  const inside = await verify(builder, 0x1000, undefined, 0x400f_f800n);
  assertEquals(counts(inside), ["pass", 1, 1, 0, 0]);
  assertEquals([inside.address, inside.lengthBytes], [0x400f_f000n, 0x2000]);
});

Deno.test("verifyRange() tells corrupt tables and addresses that are none from holes", async () => {
  const builder = tables();
  builder.map(0x7fff_ffff_f000n, 0x1000n, "4K");
  builder.map(0xffff_8000_0000_0000n, 0x1000n, "4K");
  builder.change(0x7fff_ffc0_0000n, 2, () => 0xff_0000_0007n);
  const { gaps, ...verdict } = await verify(
    builder,
    2 ** 64 - 2 ** 48 + 0x40_2000,
    undefined,
    0x7fff_ffc0_0000n,
  );
  assertEquals(verdict.passed, 2);
  assertEquals(gaps.map((g) => [g.address, g.lengthBytes, g.cause]), [
    [0x7fff_ffc0_0000n, 0x20_0000, "unreadable"],
    [0x7fff_ffe0_0000n, 0x1f_f000, "notPresent"],
    [0x8000_0000_0000n, 2 ** 64 - 2 ** 48, "nonCanonical"],
    [0xffff_8000_0000_1000n, 0x1000, "notPresent"],
  ]);
});

for (const mode of MODES) {
  Deno.test(`verifyRange() equals one judgement a page on random ${mode} tables`, async () => {
    let judged = 0;
    await fc.assert(
      fc.asyncProperty(
        plans,
        fc.record({
          near: fc.nat(11),
          back: fc.constantFrom(0n, 0x3000n, 0x20_0000n),
          pages: fc.integer({ min: 1, max: 700 }),
        }),
        fc.constantFrom<Expectation>({ user: false }, { user: false, scope: "effective" }, {
          writable: true,
          executable: false,
        }, { present: false }),
        async (list, { near, back, pages }, expectation) => {
          const { memory, builder, context, addresses } = buildTables(mode, list);
          const start = BigInt.asUintN(64, addresses[near % addresses.length]! - back);
          if (start + BigInt(pages * 4096) > 1n << 64n) return;
          const expected: Record<string, bigint[]> = { pass: [], fail: [], inconclusive: [] };
          const units = new Map<string, Set<bigint>>();
          for (let page = 0; page < pages; page++) {
            const va = start + BigInt(page * 4096);
            const found = builder.expect(va);
            const verdict = judgeByHand(found, expectation);
            const unit = found.outcome === "mapped" ? found.leaf.va : va;
            if (!units.has(verdict)) units.set(verdict, new Set());
            units.get(verdict)!.add(unit);
            if (expected[verdict]!.at(-1) !== unit) expected[verdict]!.push(va);
          }
          const range = { start, lengthBytes: pages * 4096 };
          const verdict = await verifyRange(memory, context, range, expectation, { keep: 1000 });
          assertEquals(
            [verdict.passed, verdict.failed, verdict.inconclusive],
            ["pass", "fail", "inconclusive"].map((kind) => units.get(kind)?.size ?? 0),
          );
          assertEquals(verdict.firstFailure, expected.fail![0] ?? null);
          assertEquals(verdict.smallPages, pages);
          judged += pages;
        },
      ),
      { numRuns: 100 },
    );
    console.log(`  ${mode}: ${judged} pages judged twice`);
  });
}

function judgeByHand(
  found: ReturnType<PageTableBuilder["expect"]>,
  { scope = "leaf", present = true, ...rights }: Expectation,
): string {
  if (found.outcome !== "mapped") {
    const absent = found.outcome === "notPresent" || found.outcome === "nonCanonical";
    return absent && !present ? "pass" : "inconclusive";
  }
  if (!present) return "fail";
  const { leaf, effective } = found.leaf;
  const own = { user: leaf.user, writable: leaf.writable, executable: !leaf.noExecute };
  const actual = scope === "leaf" ? own : effective;
  return Object.entries(rights).every(([right, value]) =>
      actual[right as keyof typeof own] === value
    )
    ? "pass"
    : "fail";
}

Deno.test("verifyRange() keeps some failures and counts all", async () => {
  const builder = buffer(Array.from({ length: 256 }, (_, i) => i));
  const range = { start: START, lengthBytes: 0x10_0000 };
  const verdict = await verifyRange(builder.memory, contextOf(builder), range, undefined, {
    keep: 3,
  });
  assertEquals([verdict.failed, verdict.failures.length], [256, 3]);
});

Deno.test("verifyRange() reads each table three times, and the reads overlap", async () => {
  const builder = tables();
  for (let page = 0; page < 4096; page++) {
    builder.map(START + BigInt(page) * 4096n, 0x100_0000n + BigInt(page) * 4096n, "4K");
  }
  const reads = new Map<bigint, number>();
  let underWay = 0;
  let most = 0;
  const memory: PhysicalMemory = {
    async read(address, lengthBytes) {
      const table = address & ~0xfffn;
      reads.set(table, (reads.get(table) ?? 0) + 1);
      most = Math.max(most, ++underWay);
      await Promise.resolve();
      underWay--;
      return builder.memory.readBytes(address, lengthBytes);
    },
  };
  const range = { start: START, lengthBytes: 4096 * 4096 };
  const verdict = await verifyRange(memory, contextOf(builder), range);
  assertEquals([verdict.passed, verdict.tables], [4096, 3 + 9]);
  // Those above serve several pieces of the range, and are read again with each.
  const times = [...reads.values()].sort((a, b) => a - b);
  assertEquals(times.slice(0, 9), Array(9).fill(3));
  assertLess(times.at(-1)!, 30);
  assert(most > 4, `${most} reads at once`);
});

Deno.test("verifyRange() of 1 GiB reads a small part of what its pages one by one do, and takes no memory", async () => {
  const { memory: tables, context } = gibibyte();
  let reads = 0;
  const memory: PhysicalMemory = {
    read(address, lengthBytes) {
      reads++;
      return Promise.resolve(tables.readBytes(address, lengthBytes));
    },
  };
  const range = { start: START & ~0x3fff_ffffn, lengthBytes: 2 ** 30 };
  await verifyRange(memory, context, range);
  const before = Deno.memoryUsage().rss;
  reads = 0;
  const verdict = await verifyRange(memory, context, range);
  const readAtOnce = reads;
  const grownMib = (Deno.memoryUsage().rss - before) / 2 ** 20;
  assertEquals(counts(verdict), ["pass", 262_144, 262_144, 0, 0]);
  assertEquals(verdict.tables, 515);
  // 1000 walks of four entries, each looked at again; 262 times fewer.
  reads = 0;
  for (let page = 0n; page < 1000n; page++) {
    await walk(memory, context, range.start + page * 0x10_0000n);
  }
  const readOneByOne = reads * 262.144;
  assertLess(readAtOnce, readOneByOne / 400);
  assertLess(grownMib, 200);
  console.log(
    `  262,144 pages in ${readAtOnce} reads (one by one ${readOneByOne.toFixed(0)}), ${
      grownMib.toFixed(0)
    } MiB more`,
  );
});

function gibibyte(): { memory: SparseMemory; context: PagingContext } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x8000_0000n)] });
  const write = (table: bigint, index: number, entry: bigint) =>
    memory.writeU64(table + BigInt(index * 8), entry);
  write(0x10_0000n, 254, 0x10_1007n);
  write(0x10_1000n, 72, 0x10_2007n);
  for (let i = 0; i < 512; i++) {
    const table = 0x20_0000n + BigInt(i) * 4096n;
    write(0x10_2000n, i, table | 7n);
    const entries = BigUint64Array.from(
      { length: 512 },
      (_, j) => BigInt(((i * 512 + j) * 37) % 262_144) * 4096n | 0x8000_0000_0000_0863n,
    );
    memory.writeBytes(table, new Uint8Array(entries.buffer));
  }
  const registers = { cr0: 0x8005_0033n, cr3: 0x10_0000n, cr4: 0x20n, efer: 0xd01n };
  return { memory, context: pagingContext(registers) };
}

Deno.test("verifyRange() ends with the signal's reason, and refuses what is no range", async () => {
  const builder = buffer();
  const run = (lengthBytes: number, signal?: AbortSignal) =>
    verifyRange(builder.memory, contextOf(builder), { start: START, lengthBytes }, undefined, {
      ...signal && { signal },
    });
  await assertRejects(
    () => run(4096, AbortSignal.abort(new RangeError("enough"))),
    RangeError,
    "enough",
  );
  await assertRejects(() => run(0), InvalidArgumentError, "from 1 up");
  await assertRejects(() => run(1.5), InvalidArgumentError, "whole number");
  await assertRejects(() => run(2 ** 64), InvalidArgumentError, "beyond the 64-bit");
});

Deno.test("verifyRange() with paging off judges nothing, as there is no entry", async () => {
  const context = pagingContext({ cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n });
  const memory = new SparseMemory({ ranges: [] });
  const range = { start: 0x1000n, lengthBytes: 0x3000 };
  assertEquals(counts(await verifyRange(memory, context, range)), ["inconclusive", 3, 0, 0, 3]);
  const parts = [];
  for await (const batch of judgeRange(memory, context, range, { user: true })) {
    parts.push(...batch);
  }
  assertEquals(parts.map((p) => [p.address, p.lengthBytes, p.verdict]), [[
    0x1000n,
    0x3000,
    "inconclusive",
  ]]);
});

Deno.test("verifyRange() stops after the number of tables given, and says so", async () => {
  const { memory, context } = gibibyte();
  const range = { start: START & ~0x3fff_ffffn, lengthBytes: 2 ** 30 };
  const verdict = await verifyRange(memory, context, range, undefined, { maxTables: 13 });
  assertEquals(counts(verdict), ["inconclusive", 262_144, 5120, 0, 257_024]);
  assertEquals(verdict.gaps.map((gap) => gap.cause), ["truncated"]);
});
