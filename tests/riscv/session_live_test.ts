/** A RISC-V guest of a real QEMU, asked as any other: by every connection, in RISC-V's own words. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  diff,
  type GuestRegisters,
  InvalidArgumentError,
  NoTablesError,
  riscvRegime,
  type RiscvRegisters,
  riscvStagesOf,
  secondStage,
  type Session,
  walk as walkOf,
} from "../../mod.ts";
import { decodeSnapshot, encodeSnapshot } from "../../mod.ts";
import { startRiscvBareGuest } from "../../src/testing/riscv_bare_guest.ts";
import { startQemu } from "../../src/testing/mod.ts";
import type { RiscvPageTables } from "../../src/testing/riscv_page_tables.ts";
import { freePort, QEMU_64, riscvLiveTest } from "./_qemu.ts";

const USER = 0x1000n;
const CLOSED = 0x2000n;
const UNTOUCHED = 0x3000n;
const PROT_NONE = 0x5000n;
const RESERVED = 0x6000n;
const NAPOT = 0x1_0000n;
const LARGE = 0x20_0000n;

function fill(tables: RiscvPageTables): void {
  tables.map(USER, 0x8080_0000n, 0, { bits: "VRWUAD" });
  tables.map(CLOSED, 0x8080_1000n, 0, { bits: "VRXAD" });
  tables.map(UNTOUCHED, 0x8080_2000n, 0, { bits: "VRW" });
  tables.put(PROT_NONE, 0, 0x2000_00e2n);
  tables.put(RESERVED, 0, 0x2000_0005n);
  tables.mapNapot(NAPOT, 0x8050_0000n, { bits: "VRWUAD" });
  tables.map(LARGE, 0x8040_0000n, 1, { bits: "VRWUAD" });
}

riscvLiveTest("a RISC-V guest answers on a monitor, QMP and a gdbstub alike", async (t) => {
  const [hmp, qmp, gdb] = [freePort(), freePort(), freePort()];
  await using guest = await startRiscvBareGuest({
    harts: [{ mode: "Sv39" }, { mode: "Sv48" }],
    fill: ({ tables }, number) => number === 0 ? fill(tables) : undefined,
    binary: QEMU_64,
    cpu: "rv64,svnapot=on",
    args: [
      ...["-monitor", `tcp:127.0.0.1:${hmp},server=on,wait=off`],
      ...["-qmp", `tcp:127.0.0.1:${qmp},server=on,wait=off`],
      ...["-gdb", `tcp:127.0.0.1:${gdb}`],
    ],
  });
  const { tables } = guest.harts[0]!;
  for (const endpoint of [String(hmp), `qmp:${qmp}`, `gdb:${gdb}`]) {
    await t.step(endpoint.replace(/\d+/, "port"), async () => {
      await using session = await connect(endpoint);
      await ask(session, tables);
    });
  }

  await t.step("a hart's own tables, and a root that is named", async () => {
    await using session = await connect(hmp);
    assertEquals((await session.walk(USER, { cpu: 1 })).outcome, "notPresent");
    assertEquals((await session.walk(USER, { cpu: 1 })).mode, "Sv48");
    const { root } = tables;
    assertEquals(await session.translate(USER, { root }), 0x8080_0000n);
    assertEquals(await session.translate(USER, { root: tables.rootRegister }), 0x8080_0000n);
    await assertRejects(
      () => session.walk(USER, { root: root + 8n }),
      InvalidArgumentError,
      "4096",
    );
    const elsewhere = { root: guest.harts[1]!.tables.rootRegister };
    await assertRejects(() => session.walk(USER, elsewhere), InvalidArgumentError, "satp value");
    await session.close(); // a monitor serves one at a time
    await using named = await connect(hmp, { mode: "Sv39" });
    assertEquals(await named.translate(USER, { root }), 0x8080_0000n);
  });

  await t.step("a snapshot is the tables, and is read back as RISC-V's", async () => {
    await using session = await connect(hmp);
    const taken = await session.snapshot();
    const again = await decodeSnapshot(await encodeSnapshot(taken));
    assertEquals(again.context, taken.context);
    assertEquals(again.context.mode, "Sv39");
    assertEquals(await Array.fromAsync(diff(taken, again)), []);
  });

  await t.step("a guest without Linux has no processes", async () => {
    await using session = await connect(hmp);
    await assertRejects(() => session.walk(USER, { pid: 1 }), Error, "maps a Linux kernel");
  });
});

/** What must come of each address, whatever the connection. */
async function ask(session: Session, tables: RiscvPageTables): Promise<void> {
  const registers = await session.registers<GuestRegisters>(0) as RiscvRegisters;
  assertEquals([registers.architecture, registers.satp], ["riscv", tables.rootRegister]);

  const open = await session.verify(USER, { user: true });
  assertEquals([open.verdict, open.reason], ["pass", "_PAGE_USER is set in the L0 PTE"]);
  const closed = await session.verify(CLOSED);
  assertEquals([closed.verdict, closed.reason], ["pass", "_PAGE_USER is cleared in the L0 PTE"]);
  assertEquals((await session.verify(RESERVED)).verdict, "inconclusive");
  assertEquals((await session.verify(PROT_NONE)).verdict, "inconclusive");

  const walk = await session.walk(NAPOT + 0x3456n);
  assert(walk.outcome === "mapped");
  assertEquals([walk.physicalAddress, walk.pageSizeBytes], [0x8050_3456n, 0x1_0000]);
  assertEquals(walk.steps.map(({ name }) => name), ["L2", "L1", "L0"]);

  const range = await session.verifyRange(NAPOT, 0x1_0000, { user: true });
  assertEquals(range.verdict, "pass");

  const sizes: Record<string, number> = {};
  for await (const record of session.mappings()) {
    const size = record.kind === "mapping" ? record.pageSizeBytes : 0;
    sizes[record.address.toString(16)] = size;
  }
  assertEquals(sizes, {
    ...{ "1000": 4096, "2000": 4096, "3000": 4096, "6000": 0 },
    ...{ "10000": 65536, "200000": 0x20_0000, "80000000": 4096 },
  });

  const faults = async (address: bigint, access: Parameters<Session["access"]>[1]) => {
    const verdict = await session.access(address, access);
    return verdict.outcome === "pageFault" ? verdict.error.code : verdict.outcome;
  };
  const as = (access: Record<string, unknown>) => access as Parameters<Session["access"]>[1];
  assertEquals(await faults(CLOSED, as({ privilege: "U" })), 13);
  assertEquals(await faults(CLOSED, as({ privilege: "U", fetch: true })), 12);
  assertEquals(await faults(CLOSED, as({ write: true })), 15);
  assertEquals(await faults(USER, as({ sum: false })), 13);
  assertEquals(await faults(USER, as({})), "ok"); // the hart has SUM set
  assertEquals(await faults(UNTOUCHED, as({ hardwareSetsBits: false })), 13);

  const rules: string[] = [];
  for await (const { rule } of session.audit()) rules.push(rule);
  assert(rules.includes("reserved-bits") && !rules.includes("supervisor-leaf-in-user-range"));
}

riscvLiveTest(
  "an inner guest's satp is nobody's, and its two stages are walked if named",
  async () => {
    const [hmp, qmp, gdb] = [freePort(), freePort(), freePort()];
    await using guest = await startRiscvBareGuest({
      harts: [{ mode: "Sv39", second: "Sv39x4" }],
      fill: ({ tables }) => tables.map(USER, 0x8100_0000n, 0, { bits: "VRWUAD" }),
      binary: QEMU_64,
      cpu: "rv64,h=on",
      args: [
        ...["-monitor", `tcp:127.0.0.1:${hmp},server=on,wait=off`],
        ...["-qmp", `tcp:127.0.0.1:${qmp},server=on,wait=off`],
        ...["-gdb", `tcp:127.0.0.1:${gdb}`],
      ],
    });
    const { rootRegister } = guest.harts[0]!.tables;
    for (const endpoint of [String(hmp), `qmp:${qmp}`, `gdb:${gdb}`]) {
      await using session = await connect(endpoint);
      const hart = await session.registers<GuestRegisters>() as RiscvRegisters;
      // What satp shows is vsatp.
      assertEquals([hart.satp, hart.virtualized], [rootRegister, true]);
      // The stub tells both stages in every version, the monitor since 11.1.
      const stages = riscvStagesOf(hart);
      assert(stages !== null || !endpoint.startsWith("gdb:"));
      if (stages !== null) {
        const both = { ...stages.first!, stage2: secondStage(stages.second!) };
        const code = await walkOf(session.memory, both, guest.loopAddress);
        assert(code.outcome === "mapped", code.outcome);
        assertEquals(code.physicalAddress, guest.loopAddress);
        assertEquals([code.steps.length, code.secondStage?.length], [3, 4]);
      }
      const { verdict, walk } = await session.verify(USER);
      assertEquals([verdict, walk.outcome, walk.steps], ["inconclusive", "noTables", []]);
      assert(walk.outcome === "noTables");
      assertEquals(walk.why.kind, "nested");
      assertStringIncludes(walk.why.reason, "V=1");
      await assertRejects(() => session.translate(USER), NoTablesError);
      await assertRejects(() => Array.fromAsync(session.mappings()), NoTablesError);
    }
  },
);

riscvLiveTest("a hart that does not translate gets no verdict on any connection", async () => {
  const [hmp, qmp, gdb] = [freePort(), freePort(), freePort()];
  await using _qemu = await startQemu([
    // No kernel and no firmware: the hart stands in machine mode, with satp 0.
    ...["-M", "virt", "-m", "32M", "-bios", "none", "-S", "-display", "none", "-serial", "none"],
    ...["-monitor", `tcp:127.0.0.1:${hmp},server=on,wait=off`],
    ...["-qmp", `tcp:127.0.0.1:${qmp},server=on,wait=off`],
    ...["-gdb", `tcp:127.0.0.1:${gdb}`],
  ], { binary: QEMU_64, port: hmp, timeoutMs: 60_000 });
  for (const endpoint of [String(hmp), `qmp:${qmp}`, `gdb:${gdb}`]) {
    await using session = await connect(endpoint);
    const { verdict, walk } = await session.verify(USER);
    assertEquals([verdict, walk.outcome, walk.steps], ["inconclusive", "noTables", []], endpoint);
    assert(walk.outcome === "noTables");
    assert(["pagingOff", "firmware"].includes(walk.why.kind), walk.why.kind);
    await assertRejects(() => Array.fromAsync(session.mappings()), NoTablesError);
    await assertRejects(() => session.snapshot(), NoTablesError);
  }
});

riscvLiveTest("a hart in machine mode gets no verdict where its privilege is told", async () => {
  const [hmp, gdb] = [freePort(), freePort()];
  await using guest = await startRiscvBareGuest({
    harts: [{ mode: "Sv39" }],
    fill: ({ tables }) => tables.map(USER, 0x8080_0000n, 0, { bits: "VRWUAD" }),
    machineMode: true,
    binary: QEMU_64,
    args: [
      ...["-monitor", `tcp:127.0.0.1:${hmp},server=on,wait=off`],
      ...["-gdb", `tcp:127.0.0.1:${gdb}`],
    ],
  });
  await using session = await connect(`gdb:${gdb}`);
  const found = await session.walk(USER);
  assert(found.outcome === "noTables");
  assertEquals(found.why.kind, "firmware");
  // The tables are there all the same for one who names them.
  const { root } = guest.harts[0]!.tables;
  assertEquals(riscvRegime("Sv39", root).root, root);
  await using named = await connect(hmp, { mode: "Sv39" });
  assertEquals(await named.translate(USER, { root }), 0x8080_0000n);
});
