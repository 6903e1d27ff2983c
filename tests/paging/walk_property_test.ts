/**
 * Random page tables in every mode: the walk must agree with the builder, which was written from the
 * Intel SDM without a line of the walker's code, about mapped pages, damaged entries and the addresses
 * around them.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { walk } from "../../src/translate/walk.ts";
import {
  PageTableBuilder,
  type PageTableMode,
  registersFor,
} from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";

const MODES: PageTableMode[] = ["32-bit", "pae", "4-level", "5-level"];
const SIZES = { "4K": 12, "2M": 21, "4M": 22, "1G": 30 } as const;
const MODE_FACTS = {
  "32-bit": { sizes: ["4K", "4M"], linearBits: 32, levels: [2, 1] },
  "pae": { sizes: ["4K", "2M"], linearBits: 32, levels: [3, 2, 1] },
  "4-level": { sizes: ["4K", "2M", "1G"], linearBits: 48, levels: [4, 3, 2, 1] },
  "5-level": { sizes: ["4K", "2M", "1G"], linearBits: 57, levels: [5, 4, 3, 2, 1] },
} as const;

/** One random page, and perhaps something done to one of its entries. */
interface Plan {
  size: number;
  va: bigint;
  pa: bigint;
  rights: Record<"user" | "writable" | "noExecute" | "pat" | "accessed" | "dirty", boolean>;
  damage: { level: number; mask: bigint; how: "none" | "set" | "clear" | "replace" };
}

const bit = fc.integer({ min: 0, max: 63 }).map((n) => 1n << BigInt(n));
const plan: fc.Arbitrary<Plan> = fc.record({
  size: fc.nat(2),
  // Few top indexes, so that pages share tables and collide.
  va: fc.tuple(fc.constantFrom(0n, 0x7fn, 0xffffn, 0x1ffn), fc.bigInt(0n, (1n << 57n) - 1n)).map((
    [top, low],
  ) => top === 0n ? low & 0xffff_ffffn : low ^ (top << 41n)),
  pa: fc.bigInt(0n, (1n << 39n) - 1n),
  rights: fc.record({
    user: fc.boolean(),
    writable: fc.boolean(),
    noExecute: fc.boolean(),
    pat: fc.boolean(),
    accessed: fc.boolean(),
    dirty: fc.boolean(),
  }),
  damage: fc.record({
    level: fc.nat(4),
    mask: fc.oneof(bit, fc.constantFrom(1n, 2n, 4n, 0x80n, 1n << 63n)),
    how: fc.constantFrom("none", "none", "set", "clear", "replace"),
  }),
});

function build(mode: PageTableMode, plans: Plan[], options: Record<string, unknown>) {
  const facts = MODE_FACTS[mode];
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x2000_0000n)] });
  const builder = new PageTableBuilder(mode, memory, { tablesAt: 0x10_0000n, ...options });
  const addresses: bigint[] = [];
  for (const { size, va, pa, rights, damage } of plans) {
    const sizeName = facts.sizes[size % facts.sizes.length]!;
    const mask = ~((1n << BigInt(SIZES[sizeName])) - 1n);
    const linear = mode.endsWith("level")
      ? BigInt.asUintN(64, BigInt.asIntN(facts.linearBits, va) & mask)
      : va & 0xffff_ffffn & mask;
    const { noExecute, ...others } = rights;
    try {
      builder.map(
        linear,
        pa & (mode === "32-bit" && sizeName === "4K" ? 0xffff_ffffn : ~0n) & mask,
        sizeName,
        {
          ...others,
          ...mode !== "32-bit" && { noExecute },
        },
      );
      const level = facts.levels[damage.level % facts.levels.length]!;
      if (damage.how === "set") builder.change(linear, level, (raw) => raw | damage.mask);
      if (damage.how === "clear") builder.change(linear, level, (raw) => raw & ~damage.mask);
      if (damage.how === "replace") {
        builder.change(linear, level, () => pa * 0x9e37_79b9_7f4a_7c15n);
      }
    } catch (error) {
      // The builder refuses to map twice or through damage; the plan is then without that page.
      const refusals = ["InvalidArgumentError", "MemoryReadError"];
      if (!(error instanceof Error) || !refusals.includes(error.name)) throw error;
    }
    addresses.push(
      linear,
      linear + 0x123n,
      linear ^ 0x1000n,
      linear ^ 0x20_0000n,
      va,
      BigInt.asUintN(64, linear - 1n),
    );
  }
  return { memory, builder, addresses };
}

for (const mode of MODES) {
  Deno.test(`walk() agrees with the independent builder on random ${mode} tables`, async () => {
    let compared = 0;
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(plan, { minLength: 1, maxLength: 12 }),
        fc.record({
          nxEnabled: fc.boolean(),
          maxPhysAddrBits: fc.constantFrom(40, 46, 52),
          pageSizeExtensions: fc.constantFrom(true, true, false),
        }),
        async (plans, options) => {
          const { memory, builder, addresses } = build(mode, plans, options);
          const context = pagingContext(registersFor(builder), {
            physicalAddressBits: options.maxPhysAddrBits,
          });
          for (const address of addresses) {
            const expected = builder.expect(address);
            const found = await walk(memory, context, address);
            compared++;
            outcomes.set(found.outcome, (outcomes.get(found.outcome) ?? 0) + 1);
            assertEquals(found.outcome, expected.outcome, `at 0x${address.toString(16)}`);
            if ("path" in expected) {
              assertEquals(found.steps.map((s) => s.raw), expected.path.map((s) => s.raw));
            }
            if (expected.outcome !== "mapped" || found.outcome !== "mapped") continue;
            const { leaf } = expected;
            assertEquals(found.physicalAddress, expected.physicalAddress);
            assertEquals(found.pageSizeBytes, leaf.sizeBytes);
            assertEquals(found.steps.at(-1)!.address, leaf.entryAddress);
            assertEquals(found.leaf.user, leaf.leaf.user);
            assertEquals(found.leaf.writable, leaf.leaf.writable);
            assertEquals(found.leaf.executable, !leaf.leaf.noExecute);
            assertEquals(found.leaf.dirty, leaf.leaf.dirty);
            assertEquals(found.leaf.patIndex! >> 2, leaf.leaf.pat ? 1 : 0);
            assertEquals(found.effective, leaf.effective);
            const { present: _, ...decidedBy } = found.decidedBy;
            assertEquals(decidedBy as Record<string, number>, { ...leaf.decidedBy });
          }
        },
      ),
      { numRuns: 300 },
    );
    console.log(`  ${mode}: ${compared} walks compared`, Object.fromEntries(outcomes));
  });
}
