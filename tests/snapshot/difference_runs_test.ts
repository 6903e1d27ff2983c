/** Differences of neighbours that are alike stand in one line, and no others do. */
import { assertEquals, assertThrows } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { durationArgument } from "../../src/cli/options.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { differenceRunLine, differenceRuns } from "../../src/report/diff_text.ts";
import { diff } from "../../src/snapshot/diff.ts";
import { type Snapshot, snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

const PAGE = 0x7f12_3456_0000n;
const at = (page: number) => PAGE + BigInt(page) * 4096n;

function tables(): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
  const builder = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  for (let page = 0; page < 16; page++) {
    builder.map(at(page), 0x20_0000n + BigInt(page) * 4096n, "4K", { user: true, writable: true });
  }
  return builder;
}

async function taken(builder: PageTableBuilder): Promise<Snapshot> {
  return await snapshot(builder.memory, pagingContext(registersFor(builder)));
}

async function linesOf(change: (builder: PageTableBuilder) => void): Promise<string[]> {
  const builder = tables();
  const before = await taken(builder);
  change(builder);
  const after = await taken(builder);
  const runs = await Array.fromAsync(differenceRuns(diff(before, after)));
  return runs.map((run) => differenceRunLine(run, after.context));
}

const change = (builder: PageTableBuilder, page: number, bits: bigint) =>
  builder.change(at(page), 1, (raw) => raw ^ bits);

Deno.test("the same bits of neighbours are one line, another bit or a gap begins the next", async () => {
  const lines = await linesOf((builder) => {
    for (const page of [0, 1, 2, 3]) change(builder, page, 4n);
    change(builder, 4, 2n);
    for (const page of [6, 7]) change(builder, page, 6n);
    change(builder, 9, 4n);
  });
  assertEquals(lines, [
    "~ 0x00007f1234560000-0x00007f1234563fff 4 x 4 KiB PTE: _PAGE_USER 1 -> 0",
    "~ 0x00007f1234564000   4 KiB PTE 0x204007 -> 0x204005: _PAGE_RW 1 -> 0",
    "~ 0x00007f1234566000-0x00007f1234567fff 2 x 4 KiB PTE: _PAGE_RW 1 -> 0, _PAGE_USER 1 -> 0",
    "~ 0x00007f1234569000   4 KiB PTE 0x209007 -> 0x209003: _PAGE_USER 1 -> 0",
  ]);
});

Deno.test("what was set and what was cleared are no run, nor are frames that moved", async () => {
  const lines = await linesOf((builder) => {
    change(builder, 0, 4n);
    builder.change(at(1), 1, (raw) => raw | (1n << 63n));
    // The same bits of the address flip in both, but each has a frame of its own.
    for (const page of [4, 5]) change(builder, page, 0x10_0000n);
  });
  assertEquals(lines.map((line) => line.slice(0, 30)), [
    "~ 0x00007f1234560000   4 KiB P",
    "~ 0x00007f1234561000   4 KiB P",
    "~ 0x00007f1234564000   4 KiB P",
    "~ 0x00007f1234565000   4 KiB P",
  ]);
});

Deno.test("pages that came or went with the same flags are one line", async () => {
  const lines = await linesOf((builder) => {
    for (const page of [2, 3, 4]) builder.change(at(page), 1, () => 0n);
    for (let page = 16; page < 20; page++) {
      builder.map(at(page), 0x40_0000n + BigInt(page) * 4096n, "4K", {
        user: true,
        writable: page < 18,
      });
    }
  });
  assertEquals(lines, [
    "- 0x00007f1234562000-0x00007f1234564fff 3 x 4 KiB PTE, the first 0x202007",
    "+ 0x00007f1234570000-0x00007f1234571fff 2 x 4 KiB PTE, the first 0x410007",
    "+ 0x00007f1234572000-0x00007f1234573fff 2 x 4 KiB PTE, the first 0x412005",
  ]);
});

Deno.test("durationArgument() takes a number with its unit", () => {
  assertEquals(["500ms", "5s", "0.5s", "2m", "0s"].map(durationArgument), [
    ...[500, 5000, 500, 120_000, 0],
  ]);
  for (const text of ["", "5", "s", "-5s", "5 s", "1h", "1e3s", "100000m", "5s5s", "0x5s"]) {
    assertThrows(() => durationArgument(text), InvalidArgumentError, "500ms, 5s or 2m");
  }
});
