import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { type Walk, walk } from "../../src/translate/walk.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import type { Expectation } from "../../src/verify/expectation.ts";
import { judge } from "../../src/verify/verdict.ts";

const PAGE = 0x7f12_3456_7000n;
const LARGE = 0x7f12_4000_0000n;

function builder(): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  tables.map(PAGE, 0x5000n, "4K", { user: true, writable: true, noExecute: true });
  tables.map(LARGE, 0x20_0000n, "2M", { user: true });
  return tables;
}

function walkTo(tables: PageTableBuilder, address = PAGE): Promise<Walk> {
  return walk(tables.memory, pagingContext(registersFor(tables)), address);
}

Deno.test("judge() asks for a cleared _PAGE_USER in the leaf unless told otherwise", async () => {
  const tables = builder();
  const set = judge(await walkTo(tables));
  assertEquals([set.verdict, set.reason], ["fail", "_PAGE_USER is set in the PTE"]);
  tables.setRights(PAGE, 1, { user: false });
  const cleared = judge(await walkTo(tables));
  assertEquals([cleared.verdict, cleared.reason], ["pass", "_PAGE_USER is cleared in the PTE"]);
});

Deno.test("judge() tells a cleared leaf from a set leaf under a parent that clears it", async () => {
  for (const [level, name] of [[2, "PDE"], [3, "PDPTE"], [4, "PML4E"]] as const) {
    const tables = builder().setRights(PAGE, level, { user: false });
    const found = await walkTo(tables);
    const reason = `_PAGE_USER is set in the PTE, but the ${name} above it has it cleared`;
    assertEquals([judge(found).verdict, judge(found).reason], ["fail", reason]);
    const effective = judge(found, { user: false, scope: "effective" });
    assertEquals([effective.verdict, effective.reason], ["pass", reason]);
    const wanted = judge(found, { user: true, scope: "effective" });
    assertEquals(wanted.mismatches, [{ right: "user", expected: true, actual: false, level }]);
  }
});

Deno.test("judge() names a large page's own entry", async () => {
  assertEquals(judge(await walkTo(builder(), LARGE)).reason, "_PAGE_USER is set in the PDE");
});

Deno.test("judge() takes any set of rights and lists each that is not as expected", async () => {
  const tables = builder();
  tables.setRights(PAGE, 3, { writable: false });
  const found = await walkTo(tables);
  assertEquals(judge(found, { user: true, writable: true, executable: false }).verdict, "pass");
  const verdict = judge(found, { writable: true, executable: true, scope: "effective" });
  assertEquals(verdict.verdict, "fail");
  assertEquals(verdict.mismatches.map(({ right, level }) => [right, level]), [
    ["writable", 3],
    ["executable", 1],
  ]);
  assertEquals(
    verdict.reason,
    "_PAGE_RW is set in the PTE, but the PDPTE above it has it cleared; _PAGE_NX is set in the PTE",
  );
});

Deno.test("judge() calls a no-execute parent set, not cleared", async () => {
  const tables = builder().setRights(LARGE, 4, { noExecute: true });
  const verdict = judge(await walkTo(tables, LARGE), { executable: true, scope: "effective" });
  assertEquals(
    verdict.reason,
    "_PAGE_NX is cleared in the PDE, but the PML4E above it has it set",
  );
});

Deno.test("judge() is inconclusive where there is no page, whatever the cause", async () => {
  const tables = builder();
  const cases: [Walk, string][] = [
    [await walkTo(tables, PAGE + 0x1000n), "the PT entry is not present"],
    [await walkTo(tables, 0x8000_0000_0000n), "not an address of 4-level paging"],
    [
      await walkTo(builder().change(PAGE, 1, (raw) => raw | (1n << 51n)), PAGE),
      "the page's address 0x8000000005000 may be beyond MAXPHYADDR, so that every access faults, and " +
      "MAXPHYADDR is not known: give it (phys-bits)",
    ],
    [
      await walkTo(builder().change(LARGE, 2, (raw) => raw | (1n << 13n)), LARGE),
      "the PD entry is present but sets bits that its format reserves: 0x2000",
    ],
    [
      await walkTo(builder().change(PAGE, 2, () => 0x7000_0000_0067n), PAGE),
      "corrupt tables: the next entry would be at 0x700000000b38, outside RAM",
    ],
  ];
  for (const [found, reason] of cases) assertEquals(judge(found).reason, reason);
  assertEquals(cases.map(([found]) => judge(found).verdict), [
    "inconclusive",
    "inconclusive",
    "inconclusive",
    "inconclusive",
    "inconclusive",
  ]);
});

Deno.test("judge() can expect that no page is mapped, but takes no unreadable entry for one", async () => {
  const tables = builder();
  const absent: Expectation = { present: false };
  assertEquals(judge(await walkTo(tables, PAGE + 0x1000n), absent).verdict, "pass");
  assertEquals(judge(await walkTo(tables), absent).verdict, "fail");
  tables.change(PAGE, 2, () => 0x7000_0000_0067n);
  assertEquals(judge(await walkTo(tables), absent).verdict, "inconclusive");
});

Deno.test("judge() gives no verdict on tables that changed during the walk", async () => {
  const found = await walkTo(builder());
  assertEquals(judge({ ...found, changedDuringWalk: true }).verdict, "inconclusive");
});

Deno.test("judge() refuses expectations that say nothing or contradict themselves", async () => {
  const found = await walkTo(builder());
  assertThrows(() => judge(found, {}), InvalidArgumentError, "names nothing");
  assertThrows(() => judge(found, { scope: "leaf" }), InvalidArgumentError, "names nothing");
  assertThrows(() => judge(found, { present: false, user: true }), InvalidArgumentError, "alone");
  const scope = "page" as unknown as "leaf";
  assertThrows(() => judge(found, { user: true, scope }), InvalidArgumentError, "scope");
});
