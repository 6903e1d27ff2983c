/** Random page tables with holes, damage and tables that serve several addresses. */
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { type PagingContext, pagingContext } from "../../src/arch/x86/paging_context.ts";
import {
  type PageSize,
  PageTableBuilder,
  type PageTableMode,
  registersFor,
} from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

export const MODES: PageTableMode[] = ["32-bit", "pae", "4-level", "5-level"];

const FACTS = {
  "32-bit": { sizes: ["4K", "4M"], bits: 32, levels: [2, 1] },
  "pae": { sizes: ["4K", "2M"], bits: 32, levels: [3, 2, 1] },
  "4-level": { sizes: ["4K", "2M", "1G"], bits: 48, levels: [4, 3, 2, 1] },
  "5-level": { sizes: ["4K", "2M", "1G"], bits: 57, levels: [5, 4, 3, 2, 1] },
} as const satisfies Record<PageTableMode, { sizes: PageSize[]; bits: number; levels: number[] }>;
const SHIFTS = { "4K": 12, "2M": 21, "4M": 22, "1G": 30 };

export interface Plan {
  size: number;
  top: number;
  slots: number[];
  count: number;
  frame: number;
  rights: Record<"user" | "writable" | "noExecute" | "pat" | "dirty" | "global", boolean>;
  change: { level: number; mask: bigint; how: "none" | "set" | "clear" | "swapped" | "deny" };
  /** Lets the entry point to the table of another plan's page. */
  share: { level: number; other: number } | null;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  size: fc.nat(2),
  top: fc.constantFrom(0, 1, 255, 256, 511),
  slots: fc.array(fc.constantFrom(0, 1, 2, 255, 511), { minLength: 4, maxLength: 4 }),
  count: fc.integer({ min: 1, max: 20 }),
  frame: fc.nat(100_000),
  rights: fc.record({
    user: fc.boolean(),
    writable: fc.boolean(),
    noExecute: fc.boolean(),
    pat: fc.boolean(),
    dirty: fc.boolean(),
    global: fc.boolean(),
  }),
  change: fc.record({
    level: fc.nat(4),
    mask: fc.nat(63).map((n) => 1n << BigInt(n)),
    how: fc.constantFrom("none", "none", "none", "set", "clear", "swapped", "deny"),
  }),
  share: fc.option(fc.record({ level: fc.integer({ min: 2, max: 3 }), other: fc.nat(11) }), {
    freq: 3,
  }),
});

export const plans: fc.Arbitrary<Plan[]> = fc.array(plan, { minLength: 1, maxLength: 12 });

export interface RandomTables {
  memory: SparseMemory;
  builder: PageTableBuilder;
  context: PagingContext;
  addresses: bigint[];
}

/** Where the tables lie, and whether EFER.NXE is set. */
export interface TablesPlace {
  memory?: SparseMemory;
  tablesAt?: bigint;
  nxEnabled?: boolean;
}

/** Carries the plans out; what the builder refuses is left out. */
export function buildTables(
  mode: PageTableMode,
  list: readonly Plan[],
  place: TablesPlace = {},
): RandomTables {
  const { tablesAt = 0x10_0000n, nxEnabled = true } = place;
  const memory = place.memory ?? new SparseMemory({ ranges: [ramRange(0n, 0x2000_0000n)] });
  const builder = new PageTableBuilder(mode, memory, { tablesAt, nxEnabled });
  const addresses = list.map((plan) => addressOf(mode, plan));
  list.forEach((plan, i) => {
    const { sizes } = FACTS[mode];
    const size = sizes[plan.size % sizes.length]!;
    const bytes = 1n << BigInt(SHIFTS[size]);
    const start = addresses[i]! & ~(bytes - 1n);
    const { noExecute, ...rights } = plan.rights;
    for (let page = 0; page < plan.count; page++) {
      const frame = (BigInt(plan.frame + page) * bytes) % (1n << (mode === "32-bit" ? 32n : 38n));
      unlessRefused(() =>
        builder.map(BigInt.asUintN(64, start + BigInt(page) * bytes), frame, size, {
          ...rights,
          ...mode !== "32-bit" && { noExecute },
        })
      );
    }
    unlessRefused(() => damage(builder, start, plan));
  });
  list.forEach(({ share }, i) => {
    const other = share && addresses[share.other];
    if (!other) return;
    unlessRefused(() => {
      // The other's table is no level above this entry's, so that the oracle's tree stays finite.
      const raw = builder.entry(other, share.level);
      builder.change(addresses[i]!, share.level, () => raw);
    });
  });
  return {
    memory,
    builder,
    context: pagingContext(registersFor(builder), { physicalAddressBits: 40 }),
    addresses,
  };
}

function addressOf(mode: PageTableMode, { top, slots }: Plan): bigint {
  const { bits } = FACTS[mode];
  let address = 0n;
  for (const slot of [top, ...slots]) address = (address << 9n) | BigInt(slot);
  address <<= 12n;
  return bits === 32 ? address & 0xffff_f000n : BigInt.asUintN(64, BigInt.asIntN(bits, address));
}

function damage(builder: PageTableBuilder, va: bigint, { change }: Plan): void {
  const { levels } = FACTS[builder.mode];
  const level = levels[change.level % levels.length]!;
  if (change.how === "set") builder.change(va, level, (raw) => raw | change.mask);
  if (change.how === "clear") builder.change(va, level, (raw) => raw & ~change.mask);
  if (change.how === "swapped") builder.change(va, level, () => 0x00ab_cdeen << 8n);
  if (change.how === "deny") builder.setRights(va, level, { user: false, writable: false });
}

function unlessRefused(step: () => unknown): void {
  try {
    step();
  } catch (error) {
    const isRefusal = error instanceof InvalidArgumentError ||
      (error instanceof Error && error.name === "MemoryReadError");
    if (!isRefusal) throw error;
  }
}
