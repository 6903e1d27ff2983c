/**
 * How often walk(), walkMany() and verifyRange() say PASS of tables that never are as expected: a guest flips two
 * entries at once, between two states that both fail, while they are read. Only a mixture would pass. The
 * rates are printed. Reading again cannot make them zero: that is what `frozen` is for.
 */
import { assertLess } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { walk } from "../../src/translate/walk.ts";
import { walkMany } from "../../src/translate/walk_many.ts";
import type { Expectation } from "../../src/verify/expectation.ts";
import { verifyRange } from "../../src/verify/range.ts";
import { judge, type VerdictKind } from "../../src/verify/verdict.ts";

const PAGE = 0x7f12_3456_7000n;
const USER = 4n;

/** When the guest flips: asked once a read. */
type Pace = () => boolean;

/** A page that is open to user mode in no state: its PDE has U/S when its PTE has not, and the reverse. */
function flippingGuest(
  run: number,
  pace: Pace,
): { memory: PhysicalMemory; builder: PageTableBuilder } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x400_0000n)] });
  const builder = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  builder.map(PAGE, 0x20_0000n, "4K", { user: true, writable: true });
  builder.change(PAGE, run % 2 + 1, (raw) => raw & ~USER);
  return {
    builder,
    memory: {
      read(address, lengthBytes, options) {
        if (pace()) {
          for (const level of [1, 2]) {
            builder.change(PAGE, level, (raw) => raw ^ USER);
          }
        }
        return memory.read(address, lengthBytes, options);
      },
    },
  };
}

const OPEN_TO_USER: Expectation = { user: true, scope: "effective" };

type Check = (memory: PhysicalMemory, builder: PageTableBuilder) => Promise<VerdictKind>;

const CHECKS: Record<string, Check> = {
  walk: async (memory, builder) =>
    judge(await walk(memory, pagingContext(registersFor(builder)), PAGE), OPEN_TO_USER).verdict,
  walkMany: async (memory, builder) => {
    const context = pagingContext(registersFor(builder));
    const [found] = await walkMany(memory, context, [PAGE]);
    return judge(found!, OPEN_TO_USER).verdict;
  },
  verifyRange: async (memory, builder) => {
    const range = { start: PAGE, lengthBytes: 4096 };
    const context = pagingContext(registersFor(builder));
    return (await verifyRange(memory, context, range, OPEN_TO_USER)).verdict;
  },
};

/** In step with the reads, from each phase; and by chance. */
const PACES: Record<string, (run: number) => Pace> = {
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 8, 12].map((every) => [
    `every ${every}. read`,
    (run: number) => {
      let reads = run >> 1;
      return () => ++reads % every === 0;
    },
  ])),
  ...Object.fromEntries([0.02, 0.1, 0.25, 0.5, 0.9].map((chance) => [
    `before ${chance * 100} % of reads`,
    () => () => Math.random() < chance,
  ])),
};

const RUNS = 600;

for (const [name, check] of Object.entries(CHECKS)) {
  Deno.test(`${name} seldom takes a mixture of two states for one`, async () => {
    const rates: [pace: string, wrong: number][] = [];
    for (const [pace, start] of Object.entries(PACES)) {
      let wrong = 0;
      for (let run = 0; run < RUNS; run++) {
        const { memory, builder } = flippingGuest(run, start(run));
        if (await check(memory, builder) === "pass") wrong++;
      }
      rates.push([pace, wrong / RUNS]);
    }
    const percent = (rate: number) => `${(rate * 100).toFixed(1)} %`;
    console.log(`${name}: wrong PASS, guest flipping between two failing states`);
    for (const [pace, rate] of rates) console.log(`  ${pace.padEnd(22)} ${percent(rate)}`);
    const worst = Math.max(...rates.map(([, rate]) => rate));
    const mean = rates.reduce((sum, [, rate]) => sum + rate, 0) / rates.length;
    console.log(`  worst ${percent(worst)}, mean ${percent(mean)}`);
    assertLess(worst, 0.2);
    assertLess(mean, 0.05);
  });
}
