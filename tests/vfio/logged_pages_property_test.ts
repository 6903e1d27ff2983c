import { assertGreater } from "@std/assert";
import { ADDRESS, type Living, World } from "./_world.ts";

/** How many histories are drawn. */
const CASES = Number(Deno.env.get("PAGEWALK_VFIO_CASES") ?? 2000);

/** A generator that gives the same numbers again (mulberry32). */
function numbers(seed: number): (below: number) => number {
  return (below) => {
    seed = seed + 0x6d2b79f5 | 0;
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % below;
  };
}

const FORGERIES = [
  "VFIO: Clearing [84]: segfault at 7f1234567000 ip 401000 sp 7ffc0000 error 4 in a[401000+1000]",
  "process '/tmp/a\nVFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x863\n'",
  "traps: VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x867",
];

/** Draws a history of processes that map, clear, change and leave one address. */
function history(next: (below: number) => number): World {
  const world = new World();
  const pick = () => world.living[next(world.living.length)];
  for (let step = 3 + next(12); step > 0; step--) {
    const living = pick();
    if (!living || next(5) === 0) {
      const fresh = world.start();
      if (next(4) > 0) world.map(fresh);
      continue;
    }
    const isMapped = isMappedIn(living);
    switch (next(9)) {
      case 0:
        world.end(living);
        break;
      case 1:
        world.map(living);
        break;
      case 2:
        if (isMapped) living.tables.setRights(ADDRESS, 1, { user: true });
        break;
      case 3:
        if (isMapped) living.tables.change(ADDRESS, 1, (raw) => raw ^ 2n);
        break;
      case 4:
        world.say(FORGERIES[next(FORGERIES.length)]!);
        break;
      case 5:
        world.say(
          "VFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x863",
          1 + next(20),
        );
        break;
      default:
        if (isMapped) world.clear(living);
    }
  }
  return world;
}

function isMappedIn({ tables }: Living): boolean {
  return tables.expect(ADDRESS).outcome === "mapped";
}

/** Is the page as the kernel left it at its last clearing, and the bit clear? */
function isAsLeft({ tables, left }: Living): boolean {
  return ((tables.entry(ADDRESS, 1) ^ left!) & ~0x60n) === 0n && (left! & 4n) === 0n;
}

Deno.test("no history of processes and forged records is judged wrongly", async () => {
  const counts: Record<string, number> = { pass: 0, fail: 0, inconclusive: 0 };
  const wrong: string[] = [];
  for (let seed = 0; seed < CASES; seed++) {
    const world = history(numbers(seed));
    // The truth that no log has: whose page was cleared, and what became of it.
    const meant = world.living.filter((living) => living.left !== null && isMappedIn(living));
    const asked = seed % 3 === 0 ? world.living[0] : undefined;
    for (const judged of await world.judge(asked)) {
      if (judged.kind !== "logged") continue;
      counts[judged.verdict]!++;
      const all = asked ? [asked] : meant;
      const good = asked ? meant.includes(asked) && isAsLeft(asked) : all.every(isAsLeft);
      const nothing = all.length === 0;
      const userBit = all.some(({ tables }) =>
        isMapped(tables) && (tables.entry(ADDRESS, 1) & 4n) !== 0n
      );
      if (judged.verdict === "pass" && (nothing || !good)) wrong.push(`${seed}: pass`);
      // A page of the process that was asked for has the bit, or is not as the log's last record says.
      if (judged.verdict === "fail" && !asked && good) wrong.push(`${seed}: fail`);
      if (judged.verdict === "fail" && asked && good && !userBit) {
        wrong.push(`${seed}: fail, asked`);
      }
    }
  }
  console.log(`${CASES} histories: ${JSON.stringify(counts)}, ${wrong.length} wrong`);
  if (wrong.length > 0) throw new Error(wrong.slice(0, 10).join(", "));
  assertGreater(counts.pass!, CASES / 20);
  assertGreater(counts.fail!, CASES / 20);
});

function isMapped(tables: Living["tables"]): boolean {
  return tables.expect(ADDRESS).outcome === "mapped";
}
