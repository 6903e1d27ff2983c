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
    "Not a snapshot: the file has no snapshot header",
  );
  assertEquals(
    await refused((copy) => void (copy[8] = 2)),
    "The snapshot has version 2, this program reads 1: use a newer pagewalk",
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

/** A snapshot's file with other tables, and the checksum that goes with them. */
async function withBody(
  pieces: Iterable<Uint8Array<ArrayBuffer>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await encodeSnapshot(await taken());
  const headBytes = 16 + new DataView(bytes.buffer).getUint32(12, true);
  const stream = ReadableStream.from(pieces).pipeThrough(new CompressionStream("gzip"));
  const body = new Uint8Array(await new Response(stream).arrayBuffer());
  const content = new Uint8Array([...bytes.subarray(0, headBytes), ...body]);
  const checksum = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return new Uint8Array([...content, ...checksum]);
}

function piece(address: bigint, length: number, bytes = length): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(12 + bytes);
  const view = new DataView(packed.buffer);
  view.setBigUint64(0, address, true);
  view.setUint32(8, length, true);
  return packed;
}

Deno.test("decodeSnapshot() takes no pieces that no table is", async () => {
  const good = piece(0x1000n, 4096);
  assertEquals((await decodeSnapshot(await withBody([good]))).memory.pieces.length, 1);
  for (
    const [pieces, why] of [
      [[good, piece(0x3000n, 0)], "is empty"],
      [[good, piece(0x3000n, 4097)], "longer than a table"],
      [[good, piece(0x3000n, 0xffff_ffff, 8)], "longer than a table"],
      [[good, piece(0x3000n, 4096, 8)], "cut short"],
      [[good, new Uint8Array(5)], "cut short"],
      [[good, good], "not in order"],
      [[piece(0x3000n, 8), good], "not in order"],
    ] as const
  ) {
    const file = await withBody(pieces);
    await assertRejects(() => decodeSnapshot(file), SnapshotError, why);
  }
});

Deno.test("decodeSnapshot() takes no more pieces than there may be tables, nor does encodeSnapshot()", async () => {
  const many = new Uint8Array(140_000 * 20);
  for (let i = 0; i < 140_000; i++) many.set(piece(BigInt(i) * 8n, 8), i * 20);
  const file = await withBody([many]);
  await assertRejects(() => decodeSnapshot(file), SnapshotError, "too many tables");
  const { memory, ...rest } = await taken();
  const pieces = Array(140_000).fill(memory.pieces[0]);
  await assertRejects(
    () => encodeSnapshot({ ...rest, memory: { ...memory, pieces, failures: [] } as never }),
    SnapshotError,
    "tables at most",
  );
});

Deno.test("decodeSnapshot() stops before a bomb has filled the memory", async () => {
  const zeros = new Uint8Array(2 ** 20);
  const bomb = await withBody([piece(0x1000n, 8), ...Array(256).fill(zeros)]);
  assertLess(bomb.length, 2 ** 19);
  const before = Deno.memoryUsage().rss;
  await assertRejects(() => decodeSnapshot(bomb), SnapshotError, "is empty");
  const grownMib = (Deno.memoryUsage().rss - before) / 2 ** 20;
  console.log(`  ${bomb.length} bytes, 256 MiB unpacked: ${grownMib.toFixed(0)} MiB more`);
  assertLess(grownMib, 200);
});
