import { assertEquals, assertLess } from "@std/assert";
import { judge, pagingContext, type PhysicalMemory, walk, walkMany } from "../../mod.ts";
import {
  PageTableBuilder,
  ramRange,
  registersFor,
  simulatedGuest,
  SparseMemory,
} from "../../src/testing/mod.ts";

Deno.test("many addresses are walked as each is alone, in the order given", async () => {
  const guest = simulatedGuest();
  const context = pagingContext(guest.registers(0));
  const { dmaBuffer, neverTouched, cleared } = guest.addresses;
  const addresses = [
    ...Array.from({ length: 40 }, (_, i) => dmaBuffer.start + BigInt(i * 4096)),
    ...[
      neverTouched,
      cleared,
      0x1000n,
      0x8000_0000_0000_0000n,
      0x7f00_0000_0000n,
      0x7f00_0000_1000n,
    ],
  ].toReversed();
  let reads = 0;
  const counting: PhysicalMemory = {
    read: (...args) => {
      reads++;
      return guest.memory.read(...args);
    },
  };
  const walks = await walkMany(counting, context, [...addresses, cleared]);
  assertLess(reads, 60);
  for (const [i, address] of [...addresses, cleared].entries()) {
    assertEquals(walks[i], await walk(guest.memory, context, address));
  }
});

Deno.test("where a page lies high, the number of address bits is asked for, once", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, {
    tablesAt: 0x10_0000n,
    maxPhysAddrBits: 52,
  });
  const addresses = [0x1000n, 0x2000n, 0x3000n];
  for (const [i, address] of addresses.entries()) {
    tables.map(address, 1n << BigInt(38 + i) | 0x5000n, "4K", { user: false, writable: true });
  }
  const context = pagingContext(registersFor(tables));
  const verdicts = async (learnt?: number | null) => {
    let asked = 0;
    const learnPhysicalBits = () => {
      asked++;
      return Promise.resolve(learnt!);
    };
    const options = learnt === undefined ? {} : { learnPhysicalBits };
    const walks = await walkMany(memory, context, addresses, options);
    assertEquals(asked, learnt === undefined ? 0 : 1);
    return walks.map((found) => judge(found).verdict);
  };
  assertEquals(await verdicts(), Array(3).fill("inconclusive"));
  assertEquals(await verdicts(null), Array(3).fill("inconclusive"));
  assertEquals(await verdicts(46), Array(3).fill("pass"));
  assertEquals(await verdicts(39), ["pass", "inconclusive", "inconclusive"]);
});
