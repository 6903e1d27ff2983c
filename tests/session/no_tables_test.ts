/** No verdict where a vCPU does not translate by the tables: paging off, not started, SMM, nested. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type CpuRegisters,
  InvalidArgumentError,
  judge,
  LinuxNotFoundError,
  NoTablesError,
} from "../../mod.ts";
import { rangeText, verdictRecord, verificationText } from "../../src/report/mod.ts";
import { CLEARED, clearedPage, inReset, LINUX, sessionOn, SVME, VMXE } from "./_vcpus.ts";

const { tables, running } = clearedPage();
const { memory } = tables;

/** Every state in which the tables at CR3 would say PASS, but are no answer. */
const STATES: Record<string, [change: Partial<CpuRegisters>, reason: RegExp]> = {
  "paging off": [{ cr0: 0x11n }, /^paging is off on vCPU 0 \(CR0\.PG=0\)/],
  "SMM": [{ smm: true }, /^vCPU 0 is in system-management mode/],
  "nested, SVM": [{ efer: running.efer | SVME }, /^vCPU 0 seems to be inside a nested guest/],
  "nested, VMX": [{ cr4: running.cr4 | VMXE }, /nested guest \(CR4\.VMXE is set/],
  "nested, a TR that is not Linux's": [
    { efer: running.efer | SVME, ...LINUX, trBase: 0n },
    /IDT or TR is not where Linux has them/,
  ],
  "nested, no IDT known": [
    { efer: running.efer | SVME, idtBase: undefined as unknown as bigint },
    /may be inside a nested guest/,
  ],
};

for (const [name, [change, reason]] of Object.entries(STATES)) {
  Deno.test(`${name}: nothing passes and nothing fails, whatever is asked`, async () => {
    const guest = sessionOn(memory, () => [{ ...running, ...change }]);
    for (const expectation of [{ user: false }, { user: true }, { present: false }]) {
      const verdict = await guest.verify(CLEARED, expectation);
      assertEquals([verdict.verdict, verdict.walk.outcome], ["inconclusive", "noTables"]);
      assertMatch(verdict.reason, reason);
      const range = await guest.verifyRange(CLEARED, 0x3000, expectation);
      assertEquals([range.verdict, range.inconclusive, range.pages], ["inconclusive", 3, 3]);
      assertMatch(range.gaps[0]!.reason, reason);
      assert(rangeText(range, { source: "vCPU 0" }).includes("INCONCLUSIVE"));
    }
    const verdict = await guest.verify(CLEARED);
    const text = verificationText(verdict, { source: "vCPU 0" });
    assert(!/PASSED|FAILED|CLEARED|Present: (True|False)/.test(text), text);
    assertEquals(verdictRecord(verdict).outcome, "noTables");
    assertEquals((await guest.access(CLEARED, { cpl: 3 })).outcome, "unknown");
    const listings = [
      () => Array.fromAsync(guest.mappings()),
      () => Array.fromAsync(guest.audit()),
      () => Array.fromAsync(guest.aliases(0x5000n)),
      () => Array.fromAsync(guest.watch(CLEARED)),
      () => guest.snapshot(),
    ];
    for (const list of listings) await assertRejects(list, NoTablesError);
    await assertRejects(() => guest.linux(), LinuxNotFoundError);
    await assertRejects(() => guest.verify(CLEARED, undefined, { pid: 1 }), LinuxNotFoundError);
  });
}

Deno.test("a bare guest with its IDT at 0 gets verdicts, and so does the Linux that runs guests", async () => {
  const host = { ...running, ...LINUX, efer: running.efer | SVME };
  const compat = { ...host, trBase: undefined as unknown as bigint };
  for (
    const registers of [running, host, compat, { ...running, ...LINUX, cr4: running.cr4 | VMXE }]
  ) {
    const guest = sessionOn(memory, () => [registers]);
    assertEquals((await guest.verify(CLEARED)).verdict, "pass");
  }
});

Deno.test("a nested Linux is told from its host by tables that do not map its IDT", async () => {
  const nested = { ...running, ...LINUX, efer: running.efer | SVME, cr3: 0x8000n };
  const guest = sessionOn(memory, () => [nested]);
  const { verdict, reason } = await guest.verify(CLEARED, { present: false });
  assertEquals(verdict, "inconclusive");
  assertMatch(reason, /do not map its IDT/);
});

Deno.test("another vCPU is named where one has no tables, and is used where any will do", async () => {
  const all = [{ ...running, smm: true }, inReset(1), { ...running, cpu: 2 }];
  const guest = sessionOn(memory, () => all);
  assertMatch((await guest.verify(CLEARED)).reason, /choose a vCPU that runs .* tables: 2$/);
  const off = await guest.verify(CLEARED, undefined, { cpu: 1 });
  assertMatch(
    off.reason,
    /^paging is off on vCPU 1 \(CR0\.PG=0\): it has not been started; .*: 2$/,
  );
  assertEquals((await guest.verify(CLEARED, undefined, { cpu: 2 })).verdict, "pass");
  const sampled = await guest.verify(CLEARED, undefined, { sampleMs: 50 });
  assertEquals([sampled.verdict, sampled.walk.source], [
    "pass",
    { ...sampled.walk.source, kind: "sample", cpu: 2 },
  ]);
  const missed = await guest.walk(0x1000n, { sampleMs: 5 });
  const { source } = missed;
  assertEquals(source.kind === "sampleMissed" && [source.cpu, source.roots], [2, 1]);
  // The mode of the vCPU that translates serves a root that is named.
  assertEquals((await guest.verify(CLEARED, undefined, { root: tables.root })).verdict, "pass");
});

Deno.test("sampling vCPUs of which none translates finds no tables", async () => {
  const guest = sessionOn(memory, () => [inReset(0), inReset(1)]);
  const { verdict, walk } = await guest.verify(CLEARED, { present: false }, { sampleMs: 5 });
  assertEquals([verdict, walk.outcome], ["inconclusive", "noTables"]);
});

Deno.test("a named root is read as named by a named mode, and refused where the mode is not known", async () => {
  const off = () => [inReset(0), inReset(1)];
  await assertRejects(
    () => sessionOn(memory, off).verify(CLEARED, undefined, { root: tables.root }),
    NoTablesError,
    "give the mode",
  );
  const guest = sessionOn(memory, off, { mode: "4-level" });
  const { verdict, walk } = await guest.verify(CLEARED, undefined, { root: tables.root });
  assertEquals([verdict, walk.root], ["pass", tables.root]);
});

Deno.test("a root that the mode cannot have is refused, not cut down to another one", async () => {
  const cases = [["32-bit", 0x1_0010_0000n], ["pae", 0x1_0010_0000n], [
    "4-level",
    tables.root | 1n << 52n,
  ]];
  for (const [mode, root] of cases as ["32-bit", bigint][]) {
    const guest = sessionOn(memory, () => [inReset(0)], { mode });
    await assertRejects(
      () => guest.verify(CLEARED, undefined, { root }),
      InvalidArgumentError,
      "root",
    );
  }
  // PCID, LAM's bits and bit 63 are part of CR3 values.
  const guest = sessionOn(memory, () => [running]);
  const root = tables.root | 0xe000_0000_0000_0123n;
  assertEquals((await guest.verify(CLEARED, undefined, { root })).verdict, "pass");
});

Deno.test("a lone vCPU in a nested guest is asked again until its host runs", async () => {
  let asked = 0;
  const nested = { ...running, efer: running.efer | SVME, cr3: 0x8000n };
  const host = { ...running, ...LINUX, efer: running.efer | SVME };
  const guest = sessionOn(memory, () => [asked++ < 20 ? nested : host]);
  assertEquals((await guest.verify(CLEARED, undefined, { root: tables.root })).verdict, "pass");
  assert(asked > 20);
});

Deno.test("a root outside RAM is named as such, not as corrupt tables", async () => {
  const guest = sessionOn(memory, () => [running]);
  const options = { root: 0x7000_0000n };
  const { reason } = await guest.verify(CLEARED, undefined, options);
  assertMatch(reason, /^the root 0x70000000 lies outside RAM/);
  const range = await guest.verifyRange(CLEARED, 0x1000, undefined, options);
  assertMatch(range.gaps[0]!.reason, /^the root 0x70000000 lies outside RAM/);
  const [found] = await Array.fromAsync(guest.audit(options));
  assertEquals([found!.rule, found!.severity], ["not-audited", "medium"]);
});

Deno.test("P is shown as set where reserved bits keep a page from being used", async () => {
  const { tables, running } = clearedPage();
  tables.change(CLEARED, 1, () => 0x8000_0000_0030_0007n);
  const guest = sessionOn(tables.memory, () => [{ ...running, efer: 0x500n }]);
  const verdict = await guest.verify(CLEARED);
  assertEquals([verdict.verdict, judge(verdict.walk, { present: false }).verdict], [
    "inconclusive",
    "inconclusive",
  ]);
  const text = verificationText(verdict, { source: "vCPU 0" });
  assert(text.includes("Present: True"), text);
  assert(text.includes("reserved bit 63 (XD, which needs EFER.NXE=1)"), text);
});

Deno.test("in a dump, which has no EFER, a vCPU that is unlike the Linux beside it is suspect", async () => {
  const dumped = { ...running, eferAssumed: true as const };
  const host = { ...dumped, cpu: 1, ...LINUX };
  const beside = await sessionOn(memory, () => [dumped, host]).verify(CLEARED);
  assertEquals(beside.verdict, "inconclusive");
  assertMatch(beside.reason, /nested guest \(other vCPUs run Linux.* tables: 1$/);
  // No Linux, no suspicion.
  const alone = await sessionOn(memory, () => [dumped, { ...dumped, cpu: 1 }]).verify(CLEARED);
  assertEquals(alone.verdict, "pass");
});
