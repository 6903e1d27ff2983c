/** AMD SEV's C-bit and Intel TDX's shared bit: address bits that are no part of the frame. */
import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { walk } from "../../src/translate/walk.ts";
import { PageTableBuilder, ramRange, registersFor, SparseMemory } from "../../src/testing/mod.ts";

const PAGE = 0x7f12_3456_7000n;

/** Tables in which each entry on the way to the page has a bit set. */
function tablesWith(bit: number, levels: readonly number[]): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  tables.map(PAGE, 0x5000n, "4K", { user: true, writable: true });
  // From the leaf up: above a table whose pointer has the bit, the builder finds no more.
  for (const level of levels.toSorted()) {
    tables.change(PAGE, level, (raw) => raw | (1n << BigInt(bit)));
  }
  return tables;
}

for (const bit of [47, 51]) {
  Deno.test(`SEV's C-bit ${bit} is stripped from every pointer, and set means private`, async () => {
    const tables = tablesWith(bit, [1, 2, 3, 4]);
    const context = pagingContext(registersFor(tables), {
      privateBit: bit,
      physicalAddressBits: 40,
    });
    const found = await walk(tables.memory, context, PAGE + 0x123n);
    assertEquals([found.outcome, found.steps.length], ["mapped", 4]);
    if (found.outcome !== "mapped") return;
    assertEquals([found.physicalAddress, found.leaf.private], [0x5123n, true]);
    assertEquals(found.steps.map((entry) => entry.reservedBits), [0n, 0n, 0n, 0n]);
  });

  Deno.test(`TDX's shared bit ${bit} means the opposite: clear is private`, async () => {
    const privateOf = async (levels: number[]) => {
      const tables = tablesWith(bit, levels);
      const context = pagingContext(registersFor(tables), {
        sharedBit: bit,
        physicalAddressBits: 40,
      });
      const found = await walk(tables.memory, context, PAGE);
      return found.outcome === "mapped"
        ? [found.physicalAddress, found.leaf.private]
        : found.outcome;
    };
    assertEquals(await privateOf([1]), [0x5000n, false]);
    assertEquals(await privateOf([]), [0x5000n, true]);
  });
}

Deno.test("without being told of it, the bit is reserved beyond MAXPHYADDR, or part of the frame", async () => {
  const tables = tablesWith(47, [1]);
  const registers = registersFor(tables);
  const narrow = await walk(
    tables.memory,
    pagingContext(registers, { physicalAddressBits: 40 }),
    PAGE,
  );
  assertEquals(narrow.outcome, "reservedBits");
  const wide = await walk(tables.memory, pagingContext(registers), PAGE);
  assertEquals(wide.outcome === "mapped" && wide.physicalAddress, (1n << 47n) | 0x5000n);
});

Deno.test("a guest cannot have both bits, nor one outside the address", () => {
  const registers = { cr0: 0x8000_0011n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };
  const both = () => pagingContext(registers, { privateBit: 51, sharedBit: 47 });
  assertThrows(both, InvalidArgumentError, "not both");
  assertThrows(
    () => pagingContext(registers, { privateBit: 63 }),
    InvalidArgumentError,
    "from 32 to 51",
  );
});
