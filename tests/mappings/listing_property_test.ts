/**
 * Listings of random tables against the builder, which was written from the Intel SDM without a line
 * of the walker's code: every leaf with its frame, size and rights, in order, in every mode.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { listTables } from "../../src/translate/listing.ts";
import type { Listed, ListedPage } from "../../src/translate/listing_records.ts";
import { walk } from "../../src/translate/walk.ts";
import type { ExpectedLeaf } from "../../src/testing/expected_translation.ts";
import { buildTables, MODES, plans } from "./_random_tables.ts";

const row = (page: ListedPage) => ({
  va: page.address,
  pa: page.physicalAddress,
  sizeBytes: page.lengthBytes,
  entryAddress: page.entry.address,
  raw: page.entry.raw,
  user: page.leaf.user,
  writable: page.leaf.writable,
  noExecute: !page.leaf.executable,
  dirty: page.leaf.dirty,
  global: page.leaf.global,
  pat: page.leaf.patIndex! >> 2 === 1,
  effective: page.effective,
  decidedBy: { ...page.decidedBy, present: undefined },
});

const expectedRow = (
  { va, pa, sizeBytes, entryAddress, raw, leaf, effective, decidedBy }: ExpectedLeaf,
) => ({
  va,
  pa,
  sizeBytes,
  entryAddress,
  raw,
  user: leaf.user,
  writable: leaf.writable,
  noExecute: leaf.noExecute,
  dirty: leaf.dirty,
  global: leaf.global,
  pat: leaf.pat,
  effective: effective as { user: boolean; writable: boolean; executable: boolean },
  decidedBy: { ...decidedBy, present: undefined },
});

async function all(batches: AsyncIterable<Listed[]>): Promise<Listed[]> {
  const records: Listed[] = [];
  for await (const batch of batches) records.push(...batch);
  return records;
}

const pagesOf = (records: Listed[]) => records.filter((r): r is ListedPage => r.kind === "page");

for (const mode of MODES) {
  Deno.test(`listTables() finds every leaf of random ${mode} tables, and no other`, async () => {
    const count = { leaves: 0, shared: 0, notPresent: 0, reservedBits: 0, unreadable: 0 };
    await fc.assert(
      fc.asyncProperty(plans, async (list) => {
        const { memory, builder, context } = buildTables(mode, list);
        const leaves = builder.leaves();
        const options = { expandShared: true, notPresent: true };
        const records = await all(listTables(memory, context, {}, options));
        assertEquals(pagesOf(records).map(row), leaves.map(expectedRow));
        count.leaves += leaves.length;
        for (const record of records) {
          if (record.kind in count) count[record.kind as keyof typeof count]++;
          if (record.kind !== "reservedBits" && record.kind !== "unreadable") continue;
          const expected = builder.expect(record.address);
          assertEquals(expected.outcome, record.kind);
        }

        // Unless expanded, a shared table is mentioned: its pages are those of the place named.
        const mentioned = await all(listTables(memory, context, {}));
        const resolved = pagesOf(resolve(mentioned));
        assertEquals(
          resolved.map(({ address, effective, entry }) => [address, effective, entry.raw]),
          leaves.map(({ va, effective, raw }) => [va, { ...effective }, raw]),
        );
        count.shared += mentioned.filter(({ kind }) => kind === "shared").length;
      }),
      { numRuns: 150 },
    );
    assert(count.leaves > 2000 && count.shared > 5, JSON.stringify(count));
    // In 32-bit paging only 4 MiB pages reserve a bit.
    assert(count.reservedBits > 5 || mode === "32-bit", JSON.stringify(count));
    console.log(`  ${mode}:`, count);
  });

  Deno.test(`listTables() of a range lists what the whole list has there, in ${mode}`, async () => {
    let compared = 0;
    const anyRange = fc.record({
      near: fc.nat(11),
      offset: fc.constantFrom(-0x20_1000n, -0x1000n, -1n, 0n, 1n, 0x3000n, 0x4000_0000n),
      lengthBytes: fc.constantFrom(1, 4096, 4097, 0x20_0000, 0x4020_0000, 2 ** 39, 2 ** 47),
    });
    await fc.assert(
      fc.asyncProperty(plans, anyRange, async (list, { near, offset, lengthBytes }) => {
        const { memory, builder, context, addresses } = buildTables(mode, list);
        const start = BigInt.asUintN(64, addresses[near % addresses.length]! + offset);
        const end = start + BigInt(lengthBytes);
        if (end > 1n << 64n) return;
        const range = { start, lengthBytes };
        const records = await all(listTables(memory, context, range, { expandShared: true }));
        const expected = builder.leaves().filter(({ va, sizeBytes }) =>
          va < end && va + BigInt(sizeBytes) > start
        );
        assertEquals(pagesOf(records).map(row), expected.map(expectedRow));
        compared += expected.length;
        for (const record of records) {
          assert(record.address < end && record.address + BigInt(record.lengthBytes) > start);
        }
      }),
      { numRuns: 150 },
    );
    assert(compared > 200, `${compared} leaves`);
  });

  Deno.test(`listTables() and walk() agree on every page of random ${mode} tables`, async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(plans, async (list) => {
        const { memory, context } = buildTables(mode, list);
        const pages = pagesOf(await all(listTables(memory, context, {}, { expandShared: true })));
        for (const page of pages.slice(0, 50)) {
          const found = await walk(memory, context, page.address, { recheck: false });
          assert(found.outcome === "mapped");
          const { leaf, effective, decidedBy, physicalAddress } = found;
          assertEquals(found.steps.at(-1), page.entry);
          assertEquals({ leaf, effective, decidedBy, physicalAddress }, {
            leaf: page.leaf,
            effective: page.effective,
            decidedBy: page.decidedBy,
            physicalAddress: page.physicalAddress,
          });
          compared++;
        }
      }),
      { numRuns: 40 },
    );
    assert(compared > 100);
  });
}

/** Puts the records of the place that a shared table was listed at in place of each mention. */
function resolve(records: Listed[]): Listed[] {
  const resolved: Listed[] = [];
  for (const record of records) {
    if (record.kind !== "shared") {
      resolved.push(record);
      continue;
    }
    const { address, lengthBytes, sharedWith } = record;
    const end = sharedWith + BigInt(lengthBytes);
    // What is shared lies before, so mentions in it are resolved already.
    const there = resolved.filter((r) =>
      r.address >= sharedWith && r.address < end && r.kind !== "table"
    );
    resolved.push(...there.map((r) => ({ ...r, address: r.address - sharedWith + address })));
  }
  return resolved;
}
