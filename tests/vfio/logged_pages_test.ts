import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { pagingContext, type PhysicalMemory } from "../../mod.ts";
import { registersFor } from "../../src/testing/mod.ts";
import { judgeRanges } from "../../src/vfio/_pinned.ts";
import { ADDRESS, type Living, World } from "./_world.ts";

/** The verdict on the world's one page, and why. */
async function verdictOf(world: World, asked?: Living): Promise<[string, string]> {
  const [judged, ...others] = await world.judge(asked);
  assertEquals(others, []);
  if (judged?.kind !== "logged") throw new Error("nothing was judged");
  return [judged.verdict, judged.reason];
}

/** A process whose page was cleared. */
function cleared(world: World): Living {
  const living = world.start();
  world.map(living);
  world.clear(living);
  return living;
}

Deno.test("the process that a record means is the one with its frame, whoever maps the address", async () => {
  const world = new World();
  const decoy = world.start("decoy");
  world.map(decoy);
  const target = cleared(world);
  world.map(world.start("another"));
  assertEquals((await verdictOf(world))[0], "pass");
  target.tables.setRights(ADDRESS, 1, { user: true });
  assertEquals((await verdictOf(world))[0], "fail");
});

Deno.test("a page that moved to another frame is nobody's for certain, but its process's if asked", async () => {
  const world = new World();
  const target = cleared(world);
  world.map(target);
  const [verdict, reason] = await verdictOf(world);
  assertEquals(verdict, "inconclusive");
  assertMatch(reason, /no process has the logged frame 0x1000000 there; pid 100 vfio_test may be/);
  assertEquals((await verdictOf(world, target))[0], "fail");
});

Deno.test("the test program run again and again: the last run's page is judged", async () => {
  const world = new World();
  for (let run = 0; run < 5; run++) world.end(cleared(world));
  assertMatch((await verdictOf(world))[1], /no process maps it/);
  const last = cleared(world);
  assertEquals((await verdictOf(world))[0], "pass");
  assertEquals((await verdictOf(world, last))[0], "pass");
  last.tables.setRights(ADDRESS, 1, { user: true });
  assertEquals((await verdictOf(world))[0], "fail");
});

Deno.test("a later clearing in another process hides no failure", async () => {
  const world = new World();
  const first = cleared(world);
  cleared(world);
  assertEquals((await verdictOf(world))[0], "pass");
  first.tables.setRights(ADDRESS, 1, { user: true });
  assertEquals((await verdictOf(world))[0], "fail");
  // Moved too: whose earlier record it is, is not certain any more.
  world.map(first);
  assertEquals((await verdictOf(world))[0], "inconclusive");
  // Asked for by name, with the bit set, there is no doubt; cleared, the log names two entries.
  assertEquals((await verdictOf(world, first))[0], "fail");
});

Deno.test("asked for one process, a later clearing in another is no failure of its page", async () => {
  const world = new World();
  const first = cleared(world);
  cleared(world);
  const [verdict, reason] = await verdictOf(world, first);
  assertEquals(verdict, "inconclusive");
  assertMatch(reason, /there last, and this one before/);
});

Deno.test("who shares a frame must agree", async () => {
  const world = new World();
  const parent = cleared(world);
  const child = world.start("child");
  child.tables.change(ADDRESS, 1, () => parent.left!);
  assertEquals((await verdictOf(world))[0], "pass");
  child.tables.setRights(ADDRESS, 1, { user: true });
  const [verdict, reason] = await verdictOf(world);
  assertEquals(verdict, "inconclusive");
  assertMatch(reason, /share its frame and differ: pid 100 vfio_test: pass, pid 101 child: fail/);
});

Deno.test("tables that change between the two looks are not judged", async () => {
  const world = new World();
  const target = cleared(world);
  const reads = new Map<bigint, number>();
  const flipping: PhysicalMemory = {
    read: async (address, lengthBytes, options) => {
      const count = (reads.get(address) ?? 0) + 1;
      reads.set(address, count);
      if (count > 1) target.tables.setRights(ADDRESS, 1, { user: true });
      return await world.memory.read(address, lengthBytes, options);
    },
  };
  const [judged] = await world.judge(undefined, flipping);
  assertEquals(judged?.kind === "logged" && judged.verdict, "inconclusive");
});

Deno.test("records that cannot be read, or were forged, change no other record's verdict", async () => {
  const world = new World();
  const target = cleared(world);
  const words = "VFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x863";
  world.say(
    "VFIO: Clearing [123]: segfault at 7f1234567000 ip 0000000000401000 error 4 in a[401000+1]",
  );
  world.say(words, 1);
  assertEquals((await verdictOf(world))[0], "pass");
  world.say(words.replace("0x7f1234567000", "0x7f1234567000000000000000"));
  const judged = await world.judge();
  assertEquals(judged.map((each) => each.kind === "logged" && each.verdict), [
    "pass",
    "inconclusive",
  ]);
  assertEquals((await world.judge(target)).length, 2);
});

Deno.test("many records and many processes cost tables, not their product", async () => {
  const world = new World();
  const target = world.start();
  const pages = 512;
  for (let i = 0; i < pages; i++) {
    world.map(target, ADDRESS + BigInt(i * 4096));
    world.clear(target, ADDRESS + BigInt(i * 4096));
  }
  const others = 100;
  for (let i = 0; i < others; i++) world.map(world.start(), 0x40_0000n);
  let commands = 0;
  const counting: PhysicalMemory = {
    read: async (address, lengthBytes, options) => {
      commands++;
      return await world.memory.read(address, lengthBytes, options);
    },
  };
  const judged = await world.judge(undefined, counting);
  assertEquals(
    judged.filter((each) => each.kind === "logged" && each.verdict === "pass").length,
    pages,
  );
  // The top table of each other process and the target's few, each read three times.
  assertLess(commands, 3 * others + 60);
});

Deno.test("a process that was started after the record is not meant, though it has the logged frame", async () => {
  const world = new World();
  const target = world.start();
  world.map(target);
  world.clear(target);
  const frame = target.left! | 4n;
  world.end(target);
  world.nowNs += 5_000_000_000n;
  const next = world.start();
  next.tables.change(ADDRESS, 1, () => frame);
  const [verdict, reason] = await verdictOf(world);
  assertEquals(verdict, "inconclusive");
  assertStringIncludes(reason, "started after that: has the one meant exited?");

  // One that lived then is; so is each where no start is known.
  const sibling = new World();
  const owner = sibling.start();
  sibling.nowNs += 500_000_000n;
  sibling.map(owner);
  sibling.clear(owner);
  owner.tables.change(ADDRESS, 1, (raw) => raw | 4n);
  assertEquals((await verdictOf(sibling))[0], "fail");
});

Deno.test("many small pinned ranges share the reads of their tables, and each is read three times", async () => {
  const world = new World();
  const target = world.start();
  const ranges = Array.from({ length: 64 }, (_, i) => ({
    ...{ kind: "pinned" as const, process: target.process },
    ...{ address: ADDRESS + BigInt(i * 8192), lengthBytes: 4096 },
  }));
  for (const { address } of ranges) world.map(target, address);
  for (const { address } of ranges) world.clear(target, address);
  const times = new Map<bigint, number>();
  const counting: PhysicalMemory = {
    async read(address, lengthBytes) {
      times.set(address, (times.get(address) ?? 0) + 1);
      await Promise.resolve();
      return world.memory.readBytes(address, lengthBytes);
    },
  };
  const linux = { contextOf: () => pagingContext(registersFor(target.tables)) };
  const judged = await judgeRanges(counting, linux, target.process, ranges, {});
  assertEquals(judged.map(({ verdict }) => verdict), ranges.map(() => "pass"));
  const reads = [...times.values()];
  // One by one it takes 15 reads for each.
  assertLess(reads.reduce((a, b) => a + b), 64);
  assertEquals(Math.min(...reads), 3);
});
