/** Every leaf that QEMU's own walker lists, and no other: bare guests in every mode, and Linux. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { connect } from "../../src/session/connect.ts";
import type { Session } from "../../src/session/session.ts";
import { listTables } from "../../src/paging/listing.ts";
import { verifyRange } from "../../src/verify/range.ts";
import { withRoot } from "../../src/cpu/paging_context.ts";
import type { BareGuestMode } from "../../src/testing/bare_guest/bare_guest.ts";
import { startBareGuest } from "../../src/testing/bare_guest/start.ts";
import { LabUnavailableError, startLab } from "../lab/mod.ts";
import { liveTest, QEMU } from "../live.ts";
import { loadGibibyte } from "./_gibibyte.ts";
import { tlbRowOf } from "./_tlb_rows.ts";

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
  const reply = await guest.monitor.command("info tlb", { cpu });
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

liveTest("1 GiB of small pages over the human monitor takes well under a second", async () => {
  await using loaded = await loadGibibyte();
  await using running = await startBareGuest("4-level", { extraArgs: loaded.qemuArgs });
  await using guest = await connect(running.monitorPort);
  const started = performance.now();
  const verdict = await guest.verifyRange(loaded.start, 2 ** 30, { user: false }, {
    root: loaded.root,
  });
  const tookMs = performance.now() - started;
  assertEquals([verdict.verdict, verdict.passed], ["pass", 262_144]);

  // What the same tables cost to decode when reading them costs nothing.
  const { context } = await guest.pageTable();
  const range = { start: loaded.start, lengthBytes: 2 ** 30 };
  const decodeStarted = performance.now();
  await verifyRange(loaded.memory, withRoot(context, loaded.root), range);
  const decodeMs = performance.now() - decodeStarted;
  console.log(
    `  262,144 pages in ${verdict.tables} tables: ${tookMs.toFixed(0)} ms over HMP, of which ` +
      `${decodeMs.toFixed(0)} ms decoding`,
  );
  assertLess(tookMs, 3000); // On two shared cores; alone it takes a fifth of that.
});

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
    });
  }
});
