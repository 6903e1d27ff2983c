/** Every leaf that QEMU's own walker lists, and no other: bare guests in every mode, and Linux. */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { Finding } from "../../src/audit/finding.ts";
import { connect } from "../../src/session/connect.ts";
import type { Session } from "../../src/session/session.ts";
import { listTables } from "../../src/translate/listing.ts";
import type { BareGuestMode } from "../../src/testing/bare_guest/bare_guest.ts";
import { startBareGuest } from "../../src/testing/bare_guest/start.ts";
import { type LabGuest, LabUnavailableError, startLab } from "../lab/mod.ts";
import { liveTest, QEMU } from "../live.ts";
import { loadGibibyte } from "./_gibibyte.ts";
import { tlbRowOf } from "./_tlb_rows.ts";
import { count } from "../bench/_count.ts";

/** Compares the current vCPU's tables with `info tlb`, and returns how many rows there are. */
async function compareWithTlb(guest: Session, cpu: number): Promise<number> {
  const { context } = await guest.pageTable({ cpu });
  const rows: string[] = [];
  const listing = listTables(guest.memory, context, {}, { expandShared: true, maxTables: 2 ** 20 });
  for await (const batch of listing) {
    for (const record of batch) {
      if (record.kind === "page") rows.push(tlbRowOf(record, context.mode));
      else assert(record.kind !== "truncated", "the listing was cut short");
    }
  }
  const reply = await guest.monitor.command("info tlb", { cpu, allowUnsafe: ["info tlb"] });
  const expected = reply.split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
  const differing = rows.findIndex((row, i) => row !== expected[i]);
  assertEquals(differing === -1 ? null : [rows[differing], expected[differing]], null);
  assertEquals(rows.length, expected.length);
  return rows.length;
}

for (const mode of ["32-bit", "pae", "4-level", "5-level"] satisfies BareGuestMode[]) {
  liveTest(`a bare ${mode} guest: listTables() and info tlb list the same pages`, async () => {
    await using running = await startBareGuest(mode);
    await using guest = await connect(running.monitorPort);
    const rows = await compareWithTlb(guest, 0) + await compareWithTlb(guest, 1);
    assert(rows > 60, `${rows} rows`);
    console.log(`  ${rows} rows equal to QEMU ${QEMU?.version}'s info tlb`);
  });
}

liveTest("1 GiB of small pages over the human monitor reads each table three times", async () => {
  await using loaded = await loadGibibyte();
  await using running = await startBareGuest("4-level", { extraArgs: loaded.qemuArgs });
  await using guest = await connect(running.monitorPort);
  const counted = count(guest, true);
  const verdict = await guest.verifyRange(loaded.start, 2 ** 30, { user: false }, {
    root: loaded.root,
  });
  assertEquals([verdict.verdict, verdict.passed, verdict.tables], ["pass", 262_144, 515]);
  console.log(`  262,144 pages in ${verdict.tables} tables: ${counted.commands} commands`);
  // The entries above are read again with each sixteen tables.
  assertLess(counted.commands, 3.5 * 515);
});

/** What access() says is what befalls the guest's own program when it touches the page. */
async function compareWithGuest(guest: Session, lab: LabGuest): Promise<void> {
  const options = { root: lab.target.root };
  const touched: string[] = [];
  for (const [fact, kind] of TOUCHES) {
    const { address } = lab.fact(fact);
    const wanted = { cpl: 3, write: kind === "write" };
    const verdict = await guest.access(address, wanted, options);
    const { result } = await lab.touch(kind, address);
    assertEquals(verdict.outcome === "ok", result === "done", `${kind} ${fact}: ${result}`);
    touched.push(`${kind} ${fact}: ${verdict.outcome === "pageFault" ? verdict.error.code : "ok"}`);
  }
  console.log(`  the guest's program met what access() says: ${touched.join(", ")}`);
}

/** Pages of the lab's program that are present, so that no fault brings them in. */
const TOUCHES = [
  ["readonly", "read"],
  ["readonly", "write"],
  ["executable", "read"],
  ["executable", "write"],
  ["huge", "read"],
  ["huge", "write"],
  ["huge-cleared", "read"],
  ["parent", "read"],
  ["dma", "read"],
  ["none", "read"],
] as const;

/** Linux keeps its own house: an audit finds the lab's pages, and nothing of any weight. */
async function auditLinux(guest: Session, lab: LabGuest): Promise<void> {
  const counts = new Map<string, number>();
  const findings: Finding[] = [];
  for await (const found of guest.audit({ root: lab.target.root })) {
    findings.push(found);
    counts.set(found.rule, (counts.get(found.rule) ?? 0) + 1);
  }
  assertEquals(findings.filter(({ severity }) => severity !== "low").map(({ rule }) => rule), []);
  const at = (rule: string) =>
    findings.filter((f) => f.rule === rule).map(({ address }) => address);
  assert(at("supervisor-leaf-in-user-range").includes(lab.fact("dma").address));
  assert(at("user-leaf-below-supervisor").includes(lab.fact("parent").address));
  console.log("  audited:", Object.fromEntries(counts));
}

liveTest("Linux: listTables() and info tlb list the same pages", async (t) => {
  for (const preset of ["4-level", "pti", "la57"] as const) {
    await t.step(preset, async () => {
      const lab = await startLab(preset).catch((error) => {
        if (error instanceof LabUnavailableError) return console.log(`  skipped: ${error.message}`);
        throw error;
      });
      if (!lab) return;
      await using _lab = lab;
      await using guest = await connect(lab.monitorPort);
      const rows = await guest.frozen(() => compareWithTlb(guest, 0));
      assert(rows > 1000);
      console.log(`  ${preset}: ${rows} rows equal to QEMU ${QEMU?.version}'s info tlb`);
      await compareWithGuest(guest, lab);
      await auditLinux(guest, lab);
    });
  }
});
