import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AddressSpace,
  aliases,
  audit,
  decodeSnapshot,
  diff,
  encodeSnapshot,
  entryBits,
  judge,
  mappings,
  snapshot,
  SnapshotError,
  verifyRange,
  walk,
} from "../../mod.ts";
import { ARCHITECTURES } from "../../src/entries/extend.ts";
import {
  differenceLine,
  findingLine,
  mappingLine,
  mappingRecord,
  mappingsHead,
  PLAIN,
  toJson,
  toSvg,
  verificationText,
  walkRecord,
} from "../../src/report/mod.ts";
import { ramRange, SparseMemory } from "../../src/testing/mod.ts";
import { TOY, TOY_ARCHITECTURE, toyRegime } from "./_toy_architecture.ts";

const ROOT = 0x1020n;
const BRANCH = 0x2000n;
const TWIG = 0x3040n;
/** By index 1, 2 and 3 of the three levels. */
const PAGE = 0x53000n;
const { valid, page, user, write, run, seen } = TOY;

/** A table of each level: a page below entries of which the first one gives users their right. */
function world(): SparseMemory {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x10_0000n)] });
  const slot = (table: bigint, index: number, raw: bigint) =>
    memory.writeU32(table + BigInt(index * 4), raw);
  slot(ROOT, 1, BRANCH | valid | user);
  slot(BRANCH, 2, 0x3000n | valid | run);
  memory.writeU32(0x3000n + 3n * 4n, 0x7000n | valid | page | write);
  slot(ROOT, 4, 0x8000n | valid | page); // 256 KiB
  slot(ROOT, 6, BRANCH | valid); // the same branch, but without the users' right
  memory.writeU32(TWIG, 0n);
  memory.writeBytes(0x7123n, new TextEncoder().encode("toy"));
  return memory;
}

const regime = toyRegime(ROOT);

Deno.test("a toy architecture walks: every step, its own rights rule, its own names", async () => {
  const memory = world();
  const found = await walk(memory, regime, PAGE + 0x123n);
  assert(found.outcome === "mapped");
  assertEquals(found.physicalAddress, 0x7123n);
  assertEquals(found.steps.map(({ name, index, level }) => [name, index, level]), [
    ["Root", 1, 0],
    ["Branch", 2, 1],
    ["Twig", 3, 2],
  ]);
  assertEquals(found.effective, { user: true, writable: true, executable: true });
  assertEquals(found.decidedBy, { present: 2, user: 0, writable: 2, executable: 1 });
  assertEquals((await walk(memory, regime, 0x20_0000n)).outcome, "nonCanonical");
  assertEquals((await walk(memory, regime, 0n)).outcome, "notPresent");
  const space = new AddressSpace(memory, regime);
  assertEquals(new TextDecoder().decode(await space.read(PAGE + 0x123n, 3)), "toy");
  const json = JSON.parse(toJson(walkRecord(found, { kind: "root" })));
  assertEquals([json.mode, json.outcome, json.steps[1].name], ["toy", "mapped", "Branch"]);
});

Deno.test("a toy architecture lists: runs, pages, tables that serve two addresses, aliases", async () => {
  const memory = world();
  const records = await Array.fromAsync(mappings(memory, regime, {}, { expandShared: true }));
  assertEquals(
    records.map((r) => mappingLine(r, regime)),
    [
      "0x00053000-0x00053fff     4 KiB  4 KiB urwx   cached 0x00007000",
      "0x00100000-0x0013ffff   256 KiB 256 KiB -r--   cached 0x00008000",
      "0x00193000-0x00193fff     4 KiB  4 KiB -rwx   cached 0x00007000",
    ].map((line, i) => i === 0 ? `${line} ` : line).map((line) => line.trimEnd()),
  );
  assert(mappingsHead(regime).startsWith("linear addresses      "));
  assertEquals(mappingRecord(records[0]!).decidedBy, {
    present: 2,
    user: 0,
    writable: 2,
    executable: 1,
  });
  const found = await Array.fromAsync(aliases(memory, regime, 0x7040n));
  assertEquals(found.map(({ address }) => address), [0x53040n, 0x193040n]);
});

Deno.test("a toy architecture verifies: one page and a range, in its bits' names", async () => {
  const memory = world();
  const found = await walk(memory, regime, PAGE);
  const effective = { user: false, scope: "effective" } as const;
  const verdict = judge(found, effective);
  assertEquals(verdict.verdict, "fail");
  assertEquals(
    verdict.reason,
    "TOY_USER is cleared in the Twig slot, but the Root slot above it has it set",
  );
  assertEquals(judge(found, { user: false }).verdict, "pass");
  const text = verificationText(judge(found, { user: false }), { source: "given" });
  assertEquals(text.split("\n").slice(0, 8), [
    "[+] TROOT (Page Table Base): 0x1020 (given)",
    "",
    "[+] Resolving PTE for virtual address 0x53000",
    "    Root index: 1",
    "    Branch index: 2",
    "    Twig index: 3",
    "    Root entry: 0x2005, base: 0x2000",
    "    Branch entry: 0x3011, base: 0x3000",
  ]);
  assert(text.endsWith("[+] Verification PASSED: TOY_USER bit is cleared"), text);
  const range = await verifyRange(memory, regime, { start: PAGE, lengthBytes: 0x1000 }, effective);
  assertEquals([range.verdict, range.failures[0]!.reason], ["fail", verdict.reason]);
});

Deno.test("a toy architecture audits, diffs, and is kept in snapshots", async () => {
  const memory = world();
  const findings = await Array.fromAsync(audit({ memory, context: regime }));
  assertEquals(findings.map((found) => findingLine(found, PLAIN)), [
    "medium writable-executable: 0x00053000 (4 KiB): User pages may be written and executed; " +
    "urwx cached, physical 0x7000, Twig entry 0x700b at 0x300c",
    "high   writable-executable: 0x00193000 (4 KiB): Kernel pages may be written and executed; " +
    "-rwx cached, physical 0x7000, Twig entry 0x700b at 0x300c",
    "high   frame-writable-and-executable: 0x00053000 (4 KiB): A frame may be written by user mode " +
    "at one address and executed by the kernel at another; frame 0x7000: urwx cached at 0x53000, " +
    "-rwx cached at 0x193000",
  ]);

  const before = await snapshot(memory, regime, { source: "toy" });
  memory.writeU32(0x300cn, 0x7000n | valid | page | user | seen);
  const changes = await Array.fromAsync(diff(before, { memory, context: regime }));
  assertEquals(changes.map((change) => differenceLine(change, regime)), [
    "~ 0x00053000   4 KiB Twig slot 0x700b -> 0x7027: TOY_USER 0 -> 1, M 1 -> 0, N 0 -> 1",
    "~ 0x00193000   4 KiB Twig slot 0x700b -> 0x7027: TOY_USER 0 -> 1, M 1 -> 0, N 0 -> 1",
  ]);
  const file = await encodeSnapshot(before);
  await assertRejects(() => decodeSnapshot(file), SnapshotError, '"toy"');
  const again = await decodeSnapshot(file, {
    architectures: [...ARCHITECTURES, TOY_ARCHITECTURE],
  });
  assertEquals(
    toJson(walkRecord(await walk(again.memory, again.context, PAGE))),
    toJson(walkRecord(await walk(before.memory, regime, PAGE))),
  );
});

Deno.test("a toy architecture names every bit, and is drawn", async () => {
  const { fields, entryName } = entryBits(0x7000n | valid | page | user, 2, regime);
  assertEquals(entryName, "Twig slot");
  assertEquals(fields.map(({ name, meaning }) => `${name}: ${meaning}`), [
    "V: valid",
    "L: maps a page",
    "S: shared with users",
    "M: not may change",
    "R: not may run",
    "N: not noticed",
    "reserved: must be 0",
    "ADDR: address",
  ]);
  const drawn = toSvg(await walk(world(), regime, PAGE));
  assert(drawn.includes("TROOT 0x1020") && drawn.includes("Twig[3]"));
});
