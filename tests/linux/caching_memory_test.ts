import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import fc from "fast-check";
import { CachingMemory } from "../../src/memory/caching_memory.ts";
import { MemoryReadError, type PhysicalMemory } from "../../src/memory/physical_memory.ts";

const RAM_BYTES = 5000; // No multiple of any granule: the last one reaches past the end.

/** Counts reads, and fails where there is no memory. */
class Recorder implements PhysicalMemory {
  readonly reads: [bigint, number][] = [];
  readonly bytes = Uint8Array.from({ length: RAM_BYTES }, (_, i) => (i * 7) >> 3);

  async read(address: bigint, lengthBytes: number): Promise<Uint8Array> {
    this.reads.push([address, lengthBytes]);
    await Promise.resolve();
    if (address + BigInt(lengthBytes) > RAM_BYTES) {
      throw new MemoryReadError("outsideRam", BigInt(RAM_BYTES), lengthBytes);
    }
    return this.bytes.slice(Number(address), Number(address) + lengthBytes);
  }
}

Deno.test("any reads give the same bytes as without a cache, and never keep too much", async () => {
  await fc.assert(fc.asyncProperty(
    fc.constantFrom(8, 64, 1024),
    fc.constantFrom(0, 100, 3000, 1 << 20),
    fc.array(fc.tuple(fc.nat(RAM_BYTES + 50), fc.nat(3000)), { maxLength: 20 }),
    async (granuleBytes, capacityBytes, wanted) => {
      const plain = new Recorder();
      const memory = new CachingMemory(new Recorder(), { granuleBytes, capacityBytes });
      await Promise.all(wanted.map(async ([at, length]) => {
        const expected = await plain.read(BigInt(at), length).catch((error: unknown) => error);
        const got = await memory.read(BigInt(at), length).catch((error: unknown) => error);
        if (expected instanceof Error) assertInstanceOf(got, MemoryReadError);
        else assertEquals(got, expected);
      }));
    },
  ));
});

Deno.test("what was read is not read again, and overlapping reads share one", async () => {
  const recorder = new Recorder();
  const memory = new CachingMemory(recorder);
  await Promise.all([memory.read(100n, 8), memory.read(200n, 8), memory.read(1020n, 8)]);
  await memory.read(0n, 2048);
  assertEquals(recorder.reads, [[0n, 1024], [1024n, 1024]]);
  memory.forget();
  await memory.read(100n, 8);
  assertEquals(recorder.reads.length, 3);
});

Deno.test("missing granules that lie together are one read", async () => {
  const recorder = new Recorder();
  const memory = new CachingMemory(recorder);
  await memory.read(1024n, 8);
  await memory.read(0n, 4096);
  assertEquals(recorder.reads, [[1024n, 1024], [0n, 1024], [2048n, 2048]]);
});

Deno.test("the last bytes of RAM can be read although their granule cannot", async () => {
  const recorder = new Recorder();
  const memory = new CachingMemory(recorder);
  assertEquals(await memory.read(4990n, 10), recorder.bytes.subarray(4990));
  await assertRejects(() => memory.read(4990n, 11), MemoryReadError);
});

Deno.test("forgetting while a read is under way does not keep its bytes", async () => {
  const recorder = new Recorder();
  const memory = new CachingMemory(recorder);
  const early = memory.read(0n, 8);
  memory.forget();
  await early;
  await memory.read(0n, 8);
  assertEquals(recorder.reads.length, 2);
});

Deno.test("one caller's signal ends its own read only", async () => {
  const memory = new CachingMemory(new Recorder());
  const controller = new AbortController();
  const called = memory.read(0n, 8, { signal: controller.signal });
  const other = memory.read(0n, 8);
  controller.abort(new Error("enough"));
  await assertRejects(() => called, Error, "enough");
  assertEquals((await other).length, 8);
});

Deno.test("the cache stays bounded", async () => {
  const recorder = new Recorder();
  const memory = new CachingMemory(recorder, { granuleBytes: 64, capacityBytes: 128 });
  for (const at of [0n, 64n, 128n, 192n]) await memory.read(at, 8);
  const before = recorder.reads.length;
  await memory.read(192n, 8);
  assertEquals(recorder.reads.length, before);
  await memory.read(0n, 8);
  assert(recorder.reads.length > before);
});
