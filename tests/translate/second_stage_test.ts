import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AddressSpace,
  audit,
  describeFault,
  encodeSnapshot,
  extendedPageTables,
  judge,
  listTables,
  type MappedWalk,
  mappings,
  nestedPaging,
  pagingContext,
  type Regime,
  secondStage,
  snapshot,
  SnapshotError,
  walk,
  withRoot,
} from "../../mod.ts";
import {
  PageTableBuilder,
  ramRange,
  registersFor,
  SecondStageBuilder,
  type SecondStageKind,
  SparseMemory,
} from "../../src/testing/mod.ts";

const HOST_STATE = { cr0: 0x8005_0033n, cr4: 0x20n, efer: 0xd01n };
const RAM = 0x1_0000_0000n;

/** A sequence of numbers by chance, the same in every run. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

function second(builder: SecondStageBuilder): Regime {
  return builder.kind === "EPT"
    ? extendedPageTables(builder.pointer)
    : nestedPaging(pagingContext({ ...HOST_STATE, cr3: builder.pointer }));
}

/** A guest within a guest, every frame of which lies elsewhere in the machine's memory. */
function nested(kind: SecondStageKind, seed: number) {
  const random = chance(seed);
  const memory = new SparseMemory({ ranges: [ramRange(0n, RAM)] });
  const below = new SecondStageBuilder(kind, memory, 0x10_0000n);
  const inner = new SparseMemory({ ranges: [ramRange(0n, RAM)] });
  const tables = new PageTableBuilder("4-level", inner, { tablesAt: 0x40_0000n });
  const addresses: bigint[] = [];
  for (let i = 0; i < 40; i++) {
    const address = 0x7f00_0000_0000n + BigInt(random(1 << 16)) * 0x1000n +
      BigInt(i) * 0x4000_0000n;
    tables.map(address, 0x100_0000n + BigInt(random(1 << 12)) * 0x1000n, "4K", {
      user: random(2) === 1,
      writable: random(2) === 1,
    });
    addresses.push(address);
  }
  // The tables' own frames, each mapped by a small page to a frame by chance.
  const frames = new Set<bigint>();
  for (const { address, bytes } of inner.writtenRuns()) {
    for (let at = 0; at < bytes.length; at += 4096) {
      let frame: bigint;
      do frame = 0x1000_0000n + BigInt(random(1 << 14)) * 0x1000n; while (frames.has(frame));
      frames.add(frame);
      memory.writeBytes(frame, bytes.subarray(at, at + 4096));
      below.map(address + BigInt(at), frame, "4K", { write: random(2) === 1 });
    }
  }
  // What they map: large pages, and a hole.
  for (let i = 0n; i < 7n; i++) {
    below.map(0x100_0000n + i * 0x20_0000n, 0x4000_0000n + i * 0x80_0000n, "2M", {
      write: random(2) === 1,
      execute: random(2) === 1,
    });
  }
  const context = pagingContext(registersFor(tables), { physicalAddressBits: 46 });
  const stage2 = secondStage(second(below));
  return { memory, below, tables, addresses, context: { ...context, stage2 } };
}

for (const kind of ["EPT", "NPT"] as const) {
  Deno.test(`walks through ${kind} lead where two independent builders say`, async () => {
    let [mapped, refused] = [0, 0];
    for (let seed = 1; seed <= 8; seed++) {
      const { memory, below, tables, addresses, context } = nested(kind, seed);
      for (const address of addresses) {
        const found = await walk(memory, context, address + 0x123n);
        const first = tables.expect(address + 0x123n);
        assert(first.outcome === "mapped");
        const last = below.expect(first.physicalAddress);
        assertEquals(found.changedDuringWalk, false);
        assertEquals(found.secondStage?.length, 5);
        assertEquals(found.secondStage?.map(({ of }) => of).at(-1), "result");
        for (const [i, { address: at, physicalAddress }] of found.secondStage!.entries()) {
          if (i < 4) assertEquals(physicalAddress, below.expect(at)?.physicalAddress);
        }
        if (last === null) {
          assert(found.outcome === "unreadable");
          assertEquals(found.failure, "secondStage");
          assertEquals(judge(found).verdict, "inconclusive");
          assertEquals(
            describeFault(found),
            `the second stage does not translate 0x${first.physicalAddress.toString(16)}`,
          );
          refused++;
          continue;
        }
        assert(found.outcome === "mapped");
        assertEquals(found.intermediateAddress, first.physicalAddress);
        assertEquals(found.physicalAddress, last.physicalAddress);
        const { effective, pageSizeBytes } = found.secondStage!.at(-1)!;
        assertEquals(pageSizeBytes, last.sizeBytes);
        assertEquals(effective?.writable, last.rights.write);
        assertEquals(effective?.executable, last.rights.execute);
        // Both stages have to allow what is done; the upper levels of the first allow all.
        const { leaf } = found;
        assertEquals(found.effective.user, leaf.user);
        assertEquals(found.effective.writable, leaf.writable && last.rights.write);
        assertEquals(found.effective.executable, leaf.executable && last.rights.execute);
        mapped++;
      }
    }
    assert(mapped > 100 && refused > 10, `${mapped} mapped, ${refused} refused`);
  });

  Deno.test(`a listing through ${kind} finds the pages that walks find, and reads them`, async () => {
    const { memory, below, tables, addresses, context } = nested(kind, 3);
    for (const recheck of [false, true]) {
      const list = { pages: true, recheck };
      const records = await Array.fromAsync(mappings(memory, context, {}, list));
      assertEquals(records.map(({ address }) => address), [...new Set(addresses)].sort());
      let unreadable = 0;
      for (const record of records) {
        const first = tables.expect(record.address);
        assert(first.outcome === "mapped");
        const expected = below.expect(first.physicalAddress);
        if (expected === null) {
          assert(record.kind === "unreadable");
          assertEquals([record.failure, record.table], ["secondStage", first.physicalAddress]);
          unreadable++;
        } else {
          assert(record.kind === "mapping");
          assertEquals(record.physicalAddress, expected.physicalAddress);
        }
      }
      assert(unreadable > 0 && unreadable < records.length);
    }
    const inReach = addresses.find((address) => {
      const first = tables.expect(address);
      return first.outcome === "mapped" && below.expect(first.physicalAddress) !== null;
    })!;
    const found = await walk(memory, context, inReach) as MappedWalk;
    memory.writeBytes(found.physicalAddress, new TextEncoder().encode("inner"));
    const space = new AddressSpace(memory, context);
    assertEquals(new TextDecoder().decode(await space.read(inReach, 5)), "inner");
    assert((await Array.fromAsync(audit({ memory, context }))).length > 0);
    const taken = await snapshot(memory, context);
    const listed = (source: typeof taken) =>
      Array.fromAsync(mappings(source.memory, source.context, {}, { pages: true }));
    assertEquals(
      (await listed(taken)).map(({ kind, address }) => [kind, address]),
      (await Array.fromAsync(mappings(memory, context, {}, { pages: true })))
        .map(({ kind, address }) => [kind, address]),
    );
    // A file has no name for these: what is read from it must not be taken for the guest's own.
    await assertRejects(() => encodeSnapshot(taken), SnapshotError, "through a second stage");
  });

  Deno.test(`a large page over small ones of ${kind} is listed in parts`, async () => {
    const { memory, below, tables, context } = nested(kind, 11);
    const [inner, size] = [0x2000_0000n, 0x20_0000n];
    const extra = new SparseMemory({ ranges: [ramRange(0n, RAM)] });
    const builder = new PageTableBuilder("4-level", extra, { tablesAt: 0x3000_0000n });
    builder.map(0x7e00_0020_0000n, inner, "2M", { user: true, writable: true });
    for (const { address, bytes } of extra.writtenRuns()) {
      memory.writeBytes(address, bytes);
      for (let at = 0; at < bytes.length; at += 4096) {
        below.map(address + BigInt(at), address + BigInt(at), "4K");
      }
    }
    // Two pages one after the other, a gap, and one elsewhere.
    below.map(inner, 0x5000_0000n, "4K").map(inner + 0x1000n, 0x5000_1000n, "4K");
    below.map(inner + size - 0x1000n, 0x6000_0000n, "4K");
    const regime = { ...withRoot(context, builder.root), stage2: context.stage2 };
    const records = await Array.fromAsync(mappings(memory, regime, {}, { contiguous: true }));
    assertEquals(
      records.filter(({ kind }) => kind === "mapping").map((record) => [
        record.address,
        record.lengthBytes,
        record.kind === "mapping" && record.physicalAddress,
        record.kind === "mapping" && record.pageSizeBytes,
      ]),
      [
        [0x7e00_0020_0000n, 0x2000, 0x5000_0000n, 0x20_0000],
        [0x7e00_003f_f000n, 0x1000, 0x6000_0000n, 0x20_0000],
      ],
    );
    const gaps = records.filter(({ kind }) => kind === "unreadable");
    assertEquals(gaps.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0), 0x20_0000 - 0x3000);
    assert(tables.root !== builder.root);
  });

  Deno.test(`a table that ${kind} does not map, or forbids, is not taken for an absent one`, async () => {
    const { memory, below, addresses, context } = nested(kind, 5);
    const found = await walk(memory, context, addresses[0]!);
    const third = found.steps[2]!.address & ~0xfffn;
    below.put(third, 1, 0n);
    const cut = await walk(memory, context, addresses[0]!);
    assert(cut.outcome === "unreadable");
    assertEquals([cut.failure, cut.steps.length], ["secondStage", 2]);
    const listed = (await Array.fromAsync(listTables(memory, context, {}))).flat();
    assert(
      listed.some((record) => record.kind === "unreadable" && record.failure === "secondStage"),
    );
    // EPT: fetches alone; NPT: the supervisor alone, and a guest's accesses are a user's.
    below.put(third, 1, 0x1000_0000n | (kind === "EPT" ? 4n : 1n));
    const denied = await walk(memory, context, addresses[0]!);
    assert(denied.outcome === "unreadable");
    assertEquals(denied.failure, "secondStage");
  });
}

Deno.test("EPT knows its own reserved encodings, and addresses are not sign-extended", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
  const built = new SecondStageBuilder("EPT", memory, 0x1000n);
  for (const gpa of [0x5000n, 0x6000n, 0x7000n]) built.map(gpa, 0x9000n, "4K");
  built.put(0x5000n, 1, 0x9000n | 2n).put(0x6000n, 1, 0x9000n | 1n | 3n << 3n);
  built.put(0x7000n, 1, 0x9000n | 4n);
  const ept = extendedPageTables(built.pointer);
  const outcomes = [0x5000n, 0x6000n, 0x7000n, 0x8000n, 1n << 48n, 0xffff_8000_0000_0000n].map(
    async (gpa) => (await walk(memory, ept, gpa)).outcome,
  );
  assertEquals(await Promise.all(outcomes), [
    "reservedBits",
    "reservedBits",
    "mapped",
    "notPresent",
    "nonCanonical",
    "nonCanonical",
  ]);
  const strict = extendedPageTables(built.pointer, { executeOnly: false });
  assertEquals((await walk(memory, strict, 0x7000n)).outcome, "reservedBits");
});

Deno.test("a second stage that changes under a walk is noticed", async () => {
  const { memory, below, addresses, context } = nested("EPT", 7);
  let reads = 0;
  const root = below.root;
  const changing = {
    read(address: bigint, lengthBytes: number) {
      // Everything was read once: from now on the top entry of EPT leads elsewhere.
      if (++reads === 30) memory.writeU64(root, memory.readU64(root) ^ 0x1000n);
      return memory.read(address, lengthBytes);
    },
  };
  assertEquals((await walk(changing, context, addresses[0]!)).changedDuringWalk, true);
});
