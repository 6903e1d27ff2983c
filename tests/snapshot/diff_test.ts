/** diff() against the leaves that the independent builder finds on both sides. */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import type { PageTableEntry } from "../../src/translate/entry.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { diff, type DiffOptions, type EntryDifference } from "../../src/snapshot/diff.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import type { ExpectedLeaf } from "../../src/testing/expected_translation.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { buildTables, MODES, plans, type RandomTables } from "../mappings/_random_tables.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

function pair(before: bigint | undefined, after: bigint | undefined): string {
  return `${before?.toString(16)} -> ${after?.toString(16)}`;
}

const PAGE = 0x7f12_3456_7000n;
const CR = { cr0: 0x8005_0033n, cr4: 0x20n, efer: 0xd01n };

function differences(
  before: Parameters<typeof diff>[0],
  after: Parameters<typeof diff>[1],
  options?: DiffOptions,
): Promise<EntryDifference[]> {
  return Array.fromAsync(diff(before, after, options));
}

/** Each leaf's entry by the address and level that it is for. */
function leavesOf({ builder }: RandomTables): Map<string, ExpectedLeaf> {
  return new Map(builder.leaves().map((leaf) => [`${leaf.va.toString(16)}/${leaf.level}`, leaf]));
}

for (const mode of MODES) {
  Deno.test(`diff() finds exactly the pages of random ${mode} tables that differ`, async () => {
    const count = { same: 0, changed: 0, appeared: 0, vanished: 0 };
    await fc.assert(
      fc.asyncProperty(plans, plans, fc.nat(11), async (list, other, from) => {
        // The second state shares some of the plans; its tables lie elsewhere.
        const a = buildTables(mode, list);
        const b = buildTables(mode, [...other.slice(0, 2), ...list.slice(from % list.length)]);
        const taken = await snapshot(a.memory, a.context);
        const found = await differences(taken, b);
        // Where one side's table cannot be read nothing is said of what the other has there.
        const unknown = found.filter((difference) => difference.kind === "notCompared");
        const isKnown = (va: bigint) =>
          !unknown.some(({ address, lengthBytes }) =>
            va >= address && va < address + BigInt(lengthBytes)
          );

        // Entries are compared as pairs: one in a table that serves several addresses counts once.
        // Such a table may be unknown where it is compared, and be mentioned at another address.
        const expected = new Set<string>();
        const unknownPairs = new Set<string>();
        const [was, is] = [leavesOf(a), leavesOf(b)];
        for (const key of new Set([...was.keys(), ...is.keys()])) {
          const [x, y] = [was.get(key), is.get(key)];
          if (x && y && !((x.raw ^ y.raw) & ~0x60n)) count.same++;
          else {
            const pairs = isKnown((x ?? y)!.va) ? expected : unknownPairs;
            pairs.add(pair(x?.entryAddress, y?.entryAddress));
          }
        }
        const actual = new Set<string>();
        const addressOf = (entry?: PageTableEntry) =>
          entry?.kind === "page" && !entry.reservedBits ? entry.address : undefined;
        for (const difference of found) {
          if (difference.kind === "notCompared" || !isKnown(difference.address)) continue;
          count[difference.kind]++;
          const [before, after] = difference.kind === "changed"
            ? [addressOf(difference.before), addressOf(difference.after)]
            : difference.kind === "vanished"
            ? [addressOf(difference.entry), undefined]
            : [undefined, addressOf(difference.entry)];
          if (before !== undefined || after !== undefined) actual.add(pair(before, after));
        }
        const known = (pairs: Set<string>) => [...pairs.difference(unknownPairs)].sort();
        assertEquals(known(actual), known(expected));
      }),
      { numRuns: 100 },
    );
    assert(Object.values(count).every((n) => n > 10), JSON.stringify(count));
    console.log(`  ${mode}:`, count);
  });

  Deno.test(`diff() of random ${mode} tables with themselves is empty`, async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (list) => {
        const tables = buildTables(mode, list);
        const taken = await snapshot(tables.memory, tables.context);
        assertEquals(await differences(taken, tables), []);
        assertEquals(await differences(tables, taken), []);
      }),
      { numRuns: 50 },
    );
  });
}

function small(): { memory: SparseMemory; tables: PageTableBuilder } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  tables.map(PAGE, 0x9000n, "4K", { user: true, writable: true });
  return { memory, tables };
}

Deno.test("diff() names the bits that flipped, and passes accessed and dirty bits over", async () => {
  const { memory, tables } = small();
  const context = pagingContext(registersFor(tables));
  const before = await snapshot(memory, context);
  tables.setRights(PAGE, 1, { accessed: true, dirty: true });
  assertEquals(await differences(before, { memory, context }), []);
  const [touched] = await differences(before, { memory, context }, { accessedAndDirty: true });
  assert(touched?.kind === "changed");
  assertEquals(touched.flipped, 0x60n);

  tables.setRights(PAGE, 1, { user: false });
  const [cleared, ...more] = await differences(before, { memory, context });
  assert(cleared?.kind === "changed" && more.length === 0);
  assertEquals([cleared.address, cleared.flipped], [PAGE, 0x64n]);
  assertEquals(
    cleared.fields.map(({ linuxName, before, after }) => [linuxName, before, after]),
    [["_PAGE_USER", 1n, 0n], ["_PAGE_ACCESSED", 0n, 1n], ["_PAGE_DIRTY", 0n, 1n]],
  );

  tables.change(PAGE, 1, (raw) => raw & ~1n);
  const [gone] = await differences(before, { memory, context });
  assert(gone?.kind === "changed" && gone.after.kind === "notPresent");
});

Deno.test("diff() sees through tables that serve several addresses", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
  const write = (table: bigint, index: number, raw: bigint) =>
    memory.writeU64(table + BigInt(index * 8), raw);
  // Three gigabytes by one page directory.
  write(0x1000n, 0, 0x2007n);
  for (let i = 0; i < 3; i++) write(0x2000n, i, 0x3007n);
  for (let i = 0; i < 512; i++) write(0x3000n, i, BigInt(i) << 21n | 0x87n);
  const context = pagingContext({ ...CR, cr3: 0x1000n });
  const before = await snapshot(memory, context);
  // The first one goes; the other two are as they were, though the first is now listed elsewhere.
  write(0x2000n, 0, 0n);
  const gone = await differences(before, { memory, context });
  assertEquals(gone.length, 513);
  assert(gone.every((d) => d.kind === "vanished" && d.address < 1n << 30n));
  // Now other rights: one entry changed, and nothing below it.
  write(0x2000n, 0, 0x3007n);
  write(0x2000n, 2, 0x3003n);
  const changed = await differences(before, { memory, context });
  assertEquals(changed.map((d) => [d.kind, d.address]), [["changed", 2n << 30n]]);
});

Deno.test("diff() says what it could not compare", async () => {
  const { memory, tables } = small();
  const context = pagingContext(registersFor(tables));
  const before = await snapshot(memory, context);
  tables.change(PAGE, 2, () => 0xff_0000_0007n);
  const [pointer, hole, ...more] = await differences(before, { memory, context });
  assertEquals([pointer?.kind, hole?.kind, more], ["changed", "notCompared", []]);
  assert(hole?.kind === "notCompared");
  assertEquals([hole.side, hole.record.kind], ["after", "unreadable"]);
});

Deno.test("diff() of tables full of loops ends", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
  for (let table = 1n; table < 9n; table++) {
    for (let i = 0n; i < 512n; i++) {
      memory.writeU64((table << 12n) + i * 8n, ((i * 7n + table) % 8n + 1n) << 12n | 7n);
    }
  }
  const context = (cr3: bigint) => pagingContext({ ...CR, cr3 });
  const started = cpuTimeMs();
  const sides = [{ memory, context: context(0x1000n) }, {
    memory,
    context: context(0x4000n),
  }] as const;
  let count = 0;
  for await (const _ of diff(...sides)) if (++count > 2_000_000) break;
  assert(count > 1000 && count < 2_000_000, `${count} differences`);
  assertLess(cpuTimeMs() - started, 30_000);
});

Deno.test("diff() refuses to compare modes", async () => {
  const { memory, tables } = small();
  const context = pagingContext(registersFor(tables));
  const other = pagingContext({ ...CR, cr4: 0x1020n, cr3: 0x1000n });
  await assertRejects(
    () => differences({ memory, context }, { memory, context: other }),
    InvalidArgumentError,
    "4-level with 5-level",
  );
});
