/** What verifyRange() makes of tables that change between its first and its last look at them. */
import { assert, assertEquals } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { listTables } from "../../src/translate/listing.ts";
import type { Expectation } from "../../src/verify/expectation.ts";
import { verifyRange, type VerifyRangeOptions } from "../../src/verify/range.ts";
import type { RangeVerdict } from "../../src/verify/range_verdict.ts";

const START = 0x7f12_3400_0000n;

/** Every second page of a buffer, `_PAGE_USER` cleared. */
function buffer(pages: number): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const builder = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  for (let page = 0; page < pages; page += 2) {
    builder.map(at(page), 0x800_0000n + BigInt(page) * 4096n, "4K", { writable: true });
  }
  return builder;
}

const at = (page: number) => START + BigInt(page) * 4096n;

/** Changes the tables once a given table was read. */
function changingAfter(
  builder: PageTableBuilder,
  table: bigint,
  change: () => void,
): PhysicalMemory {
  let isDone = false;
  return {
    async read(address, lengthBytes, options) {
      const bytes = (await builder.memory.read(address, lengthBytes, options)).slice();
      if (!isDone && address <= table && table < address + BigInt(lengthBytes)) {
        isDone = true;
        change();
      }
      return bytes;
    },
  };
}

function judgeWhile(
  change: (builder: PageTableBuilder) => void,
  { pages = 16, expectation = { user: false } as Expectation, options = {} as VerifyRangeOptions } =
    {},
): Promise<RangeVerdict> {
  const builder = buffer(pages);
  const memory = changingAfter(builder, builder.entryAddress(START, 1), () => change(builder));
  const context = pagingContext(registersFor(builder));
  const range = { start: START, lengthBytes: pages * 4096 };
  return verifyRange(memory, context, range, expectation, options);
}

const changedGaps = ({ gaps }: RangeVerdict) =>
  gaps.filter(({ cause }) => cause === "changed").map((g) => [g.address, g.lengthBytes]);

Deno.test("verifyRange() leaves a page undecided whose entry changed, and judges the others", async () => {
  for (const change of [(raw: bigint) => raw | 4n, () => 0n]) {
    const verdict = await judgeWhile((builder) => builder.change(at(4), 1, change));
    assertEquals(changedGaps(verdict), [[at(4), 4096]]);
    assertEquals([verdict.verdict, verdict.passed, verdict.failed], ["inconclusive", 7, 0]);
    assert(verdict.gaps.find(({ cause }) => cause === "changed")!.reason.includes("freeze"));
  }
});

Deno.test("verifyRange() leaves out what the processor itself sets", async () => {
  const verdict = await judgeWhile((builder) => builder.change(at(4), 1, (raw) => raw | 0x60n));
  assertEquals([changedGaps(verdict), verdict.passed], [[], 8]);
});

Deno.test("verifyRange() does not say that a page is absent which came while it looked", async () => {
  const verdict = await judgeWhile(
    (builder) => builder.map(at(5), 0x900_0000n, "4K"),
    { expectation: { present: false } },
  );
  assertEquals(changedGaps(verdict), [[at(5), 4096]]);
  assertEquals([verdict.failed, verdict.inconclusive, verdict.passed], [8, 1, 7]);
});

Deno.test("verifyRange() leaves all pages undecided below a table's entry that changed", async () => {
  for (const level of [2, 3, 4]) {
    const verdict = await judgeWhile((builder) =>
      builder.change(START, level, (raw) => raw & ~4n ^ 2n)
    );
    assertEquals(changedGaps(verdict), [[START, 16 * 4096]], `level ${level}`);
    assertEquals([verdict.passed, verdict.inconclusive], [0, 16]);
  }
});

Deno.test("verifyRange() notices a change in the first of many tables, and in the last", async () => {
  const pages = 70 * 512; // More tables than are read again together.
  for (const changed of [0, 20 * 512 + 6, pages - 2]) {
    const verdict = await judgeWhile(
      (builder) => builder.change(at(changed), 1, (raw) => raw | 4n),
      { pages, options: { keep: 100_000 } },
    );
    // A table that had not been read yet is read as it is now: that page fails.
    const found = [...changedGaps(verdict).map(([address]) => address), verdict.firstFailure];
    assert(found.includes(at(changed)), `page ${changed}`);
    assertEquals(verdict.passed, pages / 2 - 1);
  }
});

Deno.test("verifyRange() says that the listing ended, also where tables changed", async () => {
  const verdict = await judgeWhile(
    (builder) => builder.change(at(0), 4, (raw) => raw ^ 2n),
    { pages: 2048, expectation: { present: false }, options: { maxTables: 5 } },
  );
  assertEquals(verdict.passed, 0);
  assertEquals(verdict.gaps.at(-1)!.cause, "truncated");
});

Deno.test("verifyRange() reads KPTI's user root again, which gives the right to execute", async () => {
  const builder = buffer(16);
  const userRoot = 0x3000_0000n;
  const root = builder.entryAddress(START, 4) & ~0xfffn;
  const index = builder.entryAddress(START, 4) & 0xfffn;
  const write = (entry: bigint) => builder.memory.writeU64(userRoot + index, entry);
  const entry = builder.entry(START, 4);
  builder.change(START, 4, (raw) => raw | 1n << 63n);
  write(entry);
  const memory = changingAfter(builder, userRoot + index, () => write(entry | 1n << 63n));
  const context = {
    ...pagingContext({ ...registersFor(builder), cr3: root }),
    userView: userRoot,
  };
  const verdict = await verifyRange(
    memory,
    context,
    { start: START, lengthBytes: 4096 },
    { executable: true, scope: "effective" },
  );
  assertEquals([verdict.verdict, changedGaps(verdict)], ["inconclusive", [[START, 4096]]]);
});

Deno.test("listTables() with recheck lists what it lists without, where nothing changes", async () => {
  const builder = buffer(40 * 512);
  const context = pagingContext(registersFor(builder));
  const list = async (recheck: boolean) =>
    (await Array.fromAsync(
      listTables(builder.memory, context, {}, { recheck, notPresent: true, tables: true }),
    )).flat();
  assertEquals(await list(true), await list(false));
});
