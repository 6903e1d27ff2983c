/** What Linux on RISC-V keeps where: entries that are not valid, the direct map, the frame table. */
import { assertEquals } from "@std/assert";
import { decodeNotPresent, pagingContext, riscvRegime } from "../../mod.ts";
import { simulatedGuest } from "../../src/testing/mod.ts";

const { absentContent, kernel } = riscvRegime("Sv39", 0x8000_0000n).rules;

Deno.test("an entry that is not valid is told as Linux means it", () => {
  assertEquals(absentContent(0n), { kind: "empty" });
  // From a guest: PROT_NONE keeps R, G, A and D beside the frame.
  assertEquals(absentContent(0x2004_10e2n), { kind: "protNone", frame: 0x8010_4000n });
  const swap = (type: bigint, offset: bigint, marks = 0n) => type << 7n | offset << 12n | marks;
  assertEquals(absentContent(swap(2n, 0x123n)), { kind: "swap", type: 2, offset: 0x123n });
  assertEquals(absentContent(swap(0n, 1n, 0x58n)), {
    ...{ kind: "swap", type: 0, offset: 1n, marks: ["soft-dirty", "uffd-wp", "exclusive"] },
  });
  assertEquals(absentContent(swap(31n, 4n)), { kind: "marker", markers: ["guard"] });
  // A page on the move: whether it was young stands above its frame's number.
  assertEquals(absentContent(swap(28n, 1n << 44n | 0x8_0104n)), {
    ...{ kind: "special", type: 28, frame: 0x8010_4000n },
  });
});

Deno.test("x86 tells the same contents from its own bits", () => {
  const swap = (type: bigint, offset: bigint) => type << 59n | BigInt.asUintN(50, ~offset) << 9n;
  assertEquals(decodeNotPresent(swap(2n, 0x123n), "4-level"), {
    ...{ kind: "swap", type: 2, offset: 0x123n },
  });
  assertEquals(decodeNotPresent(swap(31n, 4n), "4-level"), { kind: "marker", markers: ["guard"] });
});

Deno.test("the direct map of RISC-V is what the kernel tells of it, if a page lies so", () => {
  const start = 0xffff_ffd6_0000_0000n;
  const numbers = new Map([["PAGE_OFFSET", start], ["phys_ram_base", 0x8000_0000n]]);
  const page = [start + 0x275_6000n, 0x8275_6000n] as const;
  const found = kernel.directMap!(...page, numbers);
  assertEquals(found, { start, end: 0xffff_ffff_8000_0000n, base: start - 0x8000_0000n });
  assertEquals(kernel.directMap!(page[0], page[1] + 0x1000n, numbers), null);
  assertEquals(kernel.directMap!(...page, new Map()), null);
});

Deno.test("the direct map of x86 begins at a multiple of 1 GiB", () => {
  const x86 = pagingContext(simulatedGuest().registers(0)).rules.kernel;
  const base = 0xffff_8880_0000_0000n;
  assertEquals(x86.directMap!(base + 0x5000n, 0x5000n, new Map()), {
    ...{ start: base, end: base + (1n << 46n), base },
  });
  assertEquals(x86.directMap!(base + 0x5000n, 0x4000n, new Map()), null);
  assertEquals(x86.directMap!(0xffff_ffff_8000_5000n, 0x5000n, new Map()), null);
});
