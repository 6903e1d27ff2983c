import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";
import { listTables } from "../../src/translate/listing.ts";
import type { Listed } from "../../src/translate/listing_records.ts";
import type { PageTableSource, Snapshot } from "../../src/snapshot/snapshot.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { SnapshotError } from "../../src/snapshot/errors.ts";
import { decodeSnapshot, encodeSnapshot } from "../../src/snapshot/file.ts";
import { verifyRange } from "../../src/verify/range.ts";
import { gibibyteTables } from "../mappings/_gibibyte.ts";
import { buildTables, MODES, plans } from "../mappings/_random_tables.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";

async function all({ memory, context }: PageTableSource): Promise<Listed[]> {
  return (await Array.fromAsync(
    listTables(memory, context, {}, { notPresent: true, tables: true }),
  ))
    .flat();
}

for (const mode of MODES) {
  Deno.test(`a snapshot of random ${mode} tables lists what the guest lists, also from its file`, async () => {
    let records = 0;
    await fc.assert(
      fc.asyncProperty(plans, async (list) => {
        const tables = buildTables(mode, list);
        const taken = await snapshot(tables.memory, tables.context, { source: "a test" });
        const again = await decodeSnapshot(await encodeSnapshot(taken));
        const expected = await all(tables);
        assertEquals(await all(taken), expected);
        assertEquals(await all(again), expected);
        assertEquals([again.source, again.takenAt, again.isWhole], ["a test", taken.takenAt, true]);
        assertEquals(again.context, tables.context);
        records += expected.length;
      }),
      { numRuns: 60 },
    );
    assert(records > 1000);
  });
}

async function taken(): Promise<Snapshot> {
  const { memory, context, builder } = buildTables("4-level", []);
  builder.map(0x7f12_3456_7000n, 0x9000n, "4K", { user: true });
  return await snapshot(memory, { ...context, userView: 0x10_1000n });
}

Deno.test("a snapshot keeps the user's root under KPTI, and has nothing but tables", async () => {
  const again = await decodeSnapshot(await encodeSnapshot(await taken()));
  assertEquals(again.context.userView, 0x10_1000n);
  const error = await assertRejects(() => again.memory.read(0x20_0000n, 8), MemoryReadError);
  assertEquals(error.message, "Guest-physical memory at 0x200000 is not in the snapshot");
});

Deno.test("decodeSnapshot() refuses every file with a byte changed, cut short or made longer", async () => {
  const bytes = await encodeSnapshot(await taken());
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 0x10;
    await assertRejects(() => decodeSnapshot(changed), SnapshotError);
    await assertRejects(() => decodeSnapshot(bytes.slice(0, at)), SnapshotError);
  }
  await assertRejects(() => decodeSnapshot(new Uint8Array([...bytes, 0])), SnapshotError);
});

Deno.test("decodeSnapshot() says what is wrong with a file", async () => {
  const bytes = await encodeSnapshot(await taken());
  const refused = async (change: (copy: Uint8Array<ArrayBuffer>) => void | Promise<void>) => {
    const copy = bytes.slice();
    await change(copy);
    return (await assertRejects(() => decodeSnapshot(copy), SnapshotError)).message;
  };
  assertEquals(
    await refused((copy) => void copy.fill(0x41, 0, 4)),
    "Not a snapshot: the file does not start as one does",
  );
  assertEquals(
    await refused((copy) => void (copy[8] = 2)),
    "The snapshot has version 2, this program reads 1: take a newer pagewalk",
  );
  assertEquals(
    await refused((copy) => void (copy[60]! ^= 1)),
    "The snapshot is damaged: its checksum is wrong; take it again",
  );
  // Someone who can compute a checksum still gets a refusal, not a crash.
  assertEquals(
    await refused(async (copy) => {
      copy[16] = 0x7d;
      copy.set(
        new Uint8Array(await crypto.subtle.digest("SHA-256", copy.subarray(0, -32))),
        copy.length - 32,
      );
    }),
    "The snapshot is damaged: its header cannot be read; take it again",
  );
});

Deno.test("a snapshot of 262,144 pages is small, and verdicts can be made of it", async () => {
  const { memory, root, start } = gibibyteTables();
  const context = pagingContext({ cr0: 0x8005_0033n, cr3: root, cr4: 0x20n, efer: 0xd01n });
  const bytes = await encodeSnapshot(await snapshot(memory, context));
  const again = await decodeSnapshot(bytes);
  const range = { start, lengthBytes: 2 ** 30 };
  const verdict = await verifyRange(again.memory, again.context, range);
  assertEquals([verdict.verdict, verdict.passed], ["pass", 262_144]);
  console.log(`  ${bytes.length} bytes, ${(bytes.length / 262_144).toFixed(2)} a page`);
  assertLess(bytes.length, 1_100_000);
});
