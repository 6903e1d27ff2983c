/** mappings() and aliases(): runs hold exactly the oracle's leaves, and are as long as they can be. */
import { assert, assertEquals, assertLess, assertNotEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { PagingContext } from "../../src/arch/x86/paging_context.ts";
import { NoTablesError } from "../../src/translate/no_tables.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { aliases, type AliasRecord } from "../../src/translate/aliases.ts";
import {
  type Mapping,
  type MappingRecord,
  mappings,
  type MappingsOptions,
} from "../../src/translate/mappings.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { mappingLine } from "../../src/report/mappings_text.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { buildTables, MODES, plans } from "./_random_tables.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

async function all(
  memory: PhysicalMemory,
  context: PagingContext,
  options: MappingsOptions = {},
): Promise<MappingRecord[]> {
  return await Array.fromAsync(mappings(memory, context, {}, options));
}

const runsOf = (records: MappingRecord[]) => records.filter((r) => r.kind === "mapping");

/** Everything that a run names of its pages. */
const named = ({ pageSizeBytes, leaf, effective, decidedBy }: Mapping) => {
  const { accessed: _a, dirty: _d, ...rights } = leaf as Mapping["leaf"] & Record<string, unknown>;
  return { pageSizeBytes, rights, effective, decidedBy };
};

for (const mode of MODES) {
  Deno.test(`mappings() joins exactly the like pages of random ${mode} tables`, async () => {
    const count = { leaves: 0, runs: 0, contiguous: 0 };
    await fc.assert(
      fc.asyncProperty(plans, fc.boolean(), async (list, contiguous) => {
        const { memory, builder, context } = buildTables(mode, list);
        const leaves = builder.leaves();
        const runs = runsOf(await all(memory, context, { contiguous, expandShared: true }));
        let next = 0;
        for (const [i, run] of runs.entries()) {
          assertEquals(run.pages * run.pageSizeBytes, run.lengthBytes);
          const pages = leaves.slice(next, next += run.pages);
          let joins = true;
          for (const [n, page] of pages.entries()) {
            assertEquals(page.va, run.address + BigInt(n * run.pageSizeBytes));
            assertEquals(page.sizeBytes, run.pageSizeBytes);
            assertEquals({ ...page.effective }, { ...run.effective });
            assertEquals(page.leaf.user, run.leaf.user);
            assertEquals(page.leaf.global, run.leaf.global);
            joins &&= page.pa === pages[0]!.pa + BigInt(n * run.pageSizeBytes);
          }
          assertEquals(run.physicalAddress, joins ? pages[0]!.pa : null);
          if (contiguous) assert(joins);
          const before = runs[i - 1];
          if (before && before.address + BigInt(before.lengthBytes) === run.address) {
            const frames = before.physicalAddress === null ||
              before.physicalAddress + BigInt(before.lengthBytes) === run.physicalAddress;
            if (!contiguous || frames) assertNotEquals(named(before), named(run));
          }
        }
        assertEquals(next, leaves.length);
        count.leaves += leaves.length;
        count.runs += runs.length;
      }),
      { numRuns: 100 },
    );
    console.log(`  ${mode}:`, count);
  });

  Deno.test(`aliases() finds every address that reaches a frame of random ${mode} tables`, async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(plans, fc.nat(1000), fc.nat(4095), async (list, pick, offset) => {
        const { memory, builder, context } = buildTables(mode, list);
        const leaves = builder.leaves();
        const chosen = leaves[pick % Math.max(1, leaves.length)];
        if (!chosen) return;
        const target = chosen.pa + BigInt(offset);
        const expected = leaves
          .filter(({ pa, sizeBytes }) => pa <= target && target < pa + BigInt(sizeBytes))
          .map(({ va, pa, effective, raw }) => [va + (target - pa), { ...effective }, raw]);
        const records: AliasRecord[] = await Array.fromAsync(aliases(memory, context, target));
        const actual = records.flatMap((r) =>
          r.kind === "alias" ? [[r.address, { ...r.effective }, r.entry!.raw]] : []
        );
        // Those under a table that serves several addresses come where the table is mentioned.
        const order = (a: unknown[], b: unknown[]) => (a[0] as bigint) < (b[0] as bigint) ? -1 : 1;
        assertEquals(actual.sort(order), expected.sort(order));
        found += actual.length;
      }),
      { numRuns: 150 },
    );
    assert(found > 150, `${found} aliases`);
  });
}

function empty(): {
  memory: SparseMemory;
  write: (table: bigint, index: number, raw: bigint) => void;
} {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
  return { memory, write: (table, index, raw) => memory.writeU64(table + BigInt(index * 8), raw) };
}

const context4 = pagingContext({ cr0: 0x8005_0033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });

Deno.test("mappings() of a root whose every entry points to the root ends at once", async () => {
  const { memory, write } = empty();
  for (let i = 0; i < 512; i++) write(0x1000n, i, 0x1007n);
  const started = cpuTimeMs();
  const records = await all(memory, context4);
  // At the last level the root's entries are 512 pages; all other ways to it are mentions.
  assertEquals(runsOf(records).reduce((sum, { pages }) => sum + pages, 0), 512);
  assertEquals(records.filter((r) => r.kind === "shared").length, 3 * 511);
  assertLess(cpuTimeMs() - started, 30_000);
});

Deno.test("mappings() of RAM full of tables that point at each other is bounded in time and memory", async () => {
  const reads = { count: 0, outside: 0 };
  const ram = ramRange(0n, 1n << 40n);
  // Every page of 1 TiB is a table of 512 scattered others: nothing needs to be stored for that.
  const memory: PhysicalMemory = {
    read(address, lengthBytes) {
      reads.count++;
      if (address + BigInt(lengthBytes) > ram.end) reads.outside++;
      const entries = new BigUint64Array(lengthBytes / 8);
      let state = (address >> 12n) * 0x9e37_79b9_7f4a_7c15n;
      for (let i = 0; i < entries.length; i++) {
        state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
        entries[i] = ((state >> 36n) << 12n) & 0xff_ffff_f000n | 7n;
      }
      return Promise.resolve(new Uint8Array(entries.buffer));
    },
  };
  const before = Deno.memoryUsage().rss;
  const started = cpuTimeMs();
  const kinds = new Map<string, number>();
  for await (const record of mappings(memory, context4, {}, { maxTables: 5000 })) {
    kinds.set(record.kind, (kinds.get(record.kind) ?? 0) + 1);
  }
  const grownMib = (Deno.memoryUsage().rss - before) / 2 ** 20;
  console.log(
    `  ${reads.count} reads, ${(cpuTimeMs() - started).toFixed(0)} ms, ${
      grownMib.toFixed(0)
    } MiB more,`,
    Object.fromEntries(kinds),
  );
  assertEquals(kinds.get("truncated"), 1);
  assertEquals(reads, { count: 5000, outside: 0 });
  assertLess(grownMib, 1024);
});

Deno.test("mappings() reads no table outside RAM, and says where each would be", async () => {
  const { memory, write } = empty();
  const asked: bigint[] = [];
  const guarded: PhysicalMemory = {
    read(address, lengthBytes, options) {
      asked.push(address);
      return memory.read(address, lengthBytes, options);
    },
  };
  write(0x1000n, 0, 0x2007n);
  write(0x1000n, 1, 0xfee0_0007n); // The APIC: SparseMemory refuses it as a monitor would.
  write(0x2000n, 3, 0xff_ffff_f007n);
  const records = await all(guarded, context4);
  assertEquals(
    records.map((r) => r.kind === "unreadable" && [r.address, r.level, r.table, r.failure]),
    [[3n << 30n, 2, 0xff_ffff_f000n, "outsideRam"], [1n << 39n, 3, 0xfee0_0000n, "outsideRam"]],
  );
  assertEquals(asked, [0x1000n, 0x2000n, 0xfee0_0000n, 0xff_ffff_f000n]);
});

Deno.test("mappings() says so if the root itself cannot be read", async () => {
  const { memory } = empty();
  const [record, ...more] = await all(memory, { ...context4, root: 0xff_0000_0000n });
  assertEquals(more, []);
  assert(record?.kind === "unreadable");
  assertEquals([record.level, record.entry], [4, undefined]);
});

Deno.test("mappings() mentions a table again only with the same rights", async () => {
  const { memory, write } = empty();
  write(0x1000n, 0, 0x2007n);
  write(0x2000n, 0, 0x3007n);
  write(0x2000n, 1, 0x3007n); // The same table,
  write(0x2000n, 2, 0x3003n); // as the supervisor's,
  write(0x2000n, 3, 0x3003n); // and that again.
  write(0x3000n, 5, 0x20_0087n);
  const records = await all(memory, context4);
  assertEquals(
    records.map((
      r,
    ) => [
      r.kind,
      r.address,
      r.kind === "mapping" ? r.effective.user : r.kind === "shared" && r.sharedWith,
    ]),
    [
      ["mapping", 0xa0_0000n, true],
      ["shared", 1n << 30n, 0n],
      ["mapping", (2n << 30n) + 0xa0_0000n, false],
      ["shared", 3n << 30n, 2n << 30n],
    ],
  );
});

Deno.test("mappings() takes execute rights of user pages from the user's root under KPTI", async () => {
  const { memory, write } = empty();
  write(0x1000n, 0, 0x3007n | (1n << 63n));
  write(0x2000n, 0, 0x3007n);
  write(0x1000n, 300, 0x3003n | (1n << 63n));
  write(0x3000n, 0, 0x87n);
  const executable = async (context: PagingContext) =>
    runsOf(await all(memory, context)).map((run) => run.effective.executable);
  assertEquals(await executable(context4), [false, false]);
  assertEquals(await executable({ ...context4, userView: 0x2000n }), [true, false]);
});

Deno.test("mappings() with filters, pages and a PAT", async () => {
  const { memory } = empty();
  const builder = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
  for (let i = 0n; i < 8n; i++) {
    builder.map(0x1000n * i, 0x10_0000n + 0x1000n * i, "4K", {
      writable: i % 4n === 0n,
      pwt: true,
    });
  }
  const context = pagingContext(registersFor(builder));
  const filtered = await all(memory, context, { filter: (page) => page.leaf.writable });
  assertEquals(filtered.map((r) => [r.address, r.lengthBytes]), [[0n, 4096], [0x4000n, 4096]]);
  const pages = runsOf(await all(memory, context, { pages: true }));
  assertEquals(pages.length, 8);
  assertEquals(pages[3]!.entry?.address, 0x4018n);
  assertEquals(pages[3]!.cacheType, "WC");
  const pat = ["WB", "WT", "UC-", "UC", "WB", "WT", "UC-", "UC"] as const;
  assertEquals(runsOf(await all(memory, context, { pat }))[0]!.cacheType, "WT");
});

Deno.test("mappings() with paging off lists nothing, and says that there are no tables", async () => {
  const off = pagingContext({ cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n });
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x10_0000n)] });
  await assertRejects(() => all(memory, off), NoTablesError, "paging is off (CR0.PG=0)");
});

Deno.test("mappings() lists neighbours with reserved bits as one run, also where the bits differ", async () => {
  const { memory, builder } = buildTables("4-level", []);
  for (let i = 0n; i < 1024n; i++) {
    const at = 0x4000_0000n + i * 0x1000n;
    builder.map(at, 0x5000n, "4K").change(at, 1, (raw) => raw | (1n << (46n + i % 6n)));
  }
  const last = 0x4000_0000n + 1023n * 0x1000n;
  builder.change(last, 1, (raw) => (raw & 0xfffn) | 1n << 63n | 0x5000n);
  const context = pagingContext({ ...registersFor(builder), efer: 0x500n }, {
    physicalAddressBits: 46,
  });
  const records = (await all(memory, context)).filter(({ kind }) => kind === "reservedBits");
  assertEquals(records.map((r) => r.kind === "reservedBits" && [r.address, r.entries]), [
    [0x4000_0000n, 1023],
    [last, 1],
  ]);
  assert(
    mappingLine(records[0]!, context4).endsWith(
      "and 1022 more like it: each is present but sets address bits at or above MAXPHYADDR",
    ),
  );
  assert(
    mappingLine(records[1]!, context4).endsWith(
      "is present but sets reserved bit 63 (XD, which needs EFER.NXE=1)",
    ),
  );
});

Deno.test("mappings() stops when told to, and says how far it has come", async () => {
  const { memory, builder, context } = buildTables("4-level", []);
  for (let i = 0n; i < 1200n; i++) builder.map(0x4000_0000n + i * 0x20_0000n, 0n, "2M");
  for (let i = 0n; i < 10n; i++) builder.map(0x55_0000_0000_00n + i * 0x20_0000n, 0n, "4K");
  const fractions: number[] = [];
  const range = { start: 0x4000_0000n, lengthBytes: 3 * 2 ** 30 };
  const onProgress = ({ fraction }: { fraction: number }) => fractions.push(fraction);
  await Array.fromAsync(mappings(memory, context, range, { onProgress }));
  assertEquals(fractions.map((f) => Math.round(f * 3)), [1, 2, 3, 3, 3]);
  const controller = new AbortController();
  await assertRejects(
    async () => {
      for await (const _ of mappings(memory, context, {}, { signal: controller.signal })) {
        controller.abort(new RangeError("enough"));
      }
    },
    RangeError,
    "enough",
  );
});

Deno.test("aliases() is bounded where a page recurs without end", async () => {
  const { memory, write } = empty();
  for (let i = 0; i < 512; i++) {
    for (const [table, below] of [[1n, 2n], [2n, 3n], [3n, 4n], [4n, 9n]] as const) {
      write(table << 12n, i, below << 12n | 7n);
    }
  }
  const records: AliasRecord[] = await Array.fromAsync(
    aliases(memory, context4, 0x9123n, { maxAliases: 1000 }),
  );
  assertEquals(records.length, 1001);
  assertEquals(records.at(-1)!.kind, "truncated");
  assertEquals(records[999]!.address, 999n * 4096n + 0x123n);
});
