/** On a real QEMU: in reset, in firmware, in SMM, in a nested guest, there is no verdict. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect, LinuxNotFoundError, NoTablesError } from "../../mod.ts";
import { startBareGuest } from "../../src/testing/bare_guest/start.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { liveTest } from "../live.ts";
import { LiveQemu } from "../monitor/_qemu.ts";
import { nestedGuest, type RunningRom, smmGuest } from "./_own_roms.ts";

const connectorsOf = ({ monitorPort, qmpPort, gdbPort }: RunningRom) => [
  `${monitorPort}`,
  `qmp:${qmpPort}`,
  `gdb:127.0.0.1:${gdbPort}`,
];

liveTest(
  "in reset, by every connector: no verdict, no listing, and a root only with its mode",
  async () => {
    await using qemu = await LiveQemu.start();
    const { tcp, qmp, gdb, unix } = qemu.endpoints;
    for (const connector of [tcp, unix, `qmp:${qmp}`, `gdb:${gdb}`]) {
      await using guest = await connect(connector);
      for (const expectation of [{ user: false }, { user: true }, { present: false }]) {
        const { verdict, reason } = await guest.verify(0x1000, expectation);
        assertEquals(verdict, "inconclusive", connector);
        assertMatch(
          reason,
          /^paging is off on vCPU 0 \(CR0\.PG=0\); no vCPU runs on page tables yet/,
        );
        assertEquals((await guest.verifyRange(0x1000, 0x4000, expectation)).inconclusive, 4);
      }
      const second = await guest.verify(0x1000, undefined, { cpu: 1 });
      assertMatch(second.reason, /^paging is off on vCPU 1 \(CR0\.PG=0\): it has not been started/);
      await assertRejects(() => Array.fromAsync(guest.audit()), NoTablesError);
      await assertRejects(() => Array.fromAsync(guest.mappings()), NoTablesError);
      await assertRejects(
        () => guest.verify(0x1000, undefined, { root: 0x27a_e000 }),
        NoTablesError,
      );
      await assertRejects(() => guest.linux(), LinuxNotFoundError, "paging is off on vCPU 0");
    }
    {
      await using guest = await connect(tcp, { mode: "4-level" });
      const { walk } = await guest.verify(0x1000, undefined, { root: 0x27a_e000 });
      assertEquals([walk.root, walk.outcome], [0x27a_e000n, "notPresent"]);
    }

    // One after the other: a monitor has one client at a time.
    const port = Number(tcp.split(":")[1]);
    const run = (script: string, ...args: string[]) =>
      runExample(script, [`${port}`, ...args], { permissions: netTo(port) });
    const verify = await run("qemu_verify_pte.ts", "0x1000", "--expect", "set");
    const range = await run("verify_range.ts", "0x1000", "16K", "--json");
    const audit = await run("audit.ts");
    const root = await run("qemu_verify_pte.ts", "0x1000", "--root", "0x27ae000");
    assertEquals([verify, range, audit, root].map(({ code }) => code), [2, 2, 3, 3]);
    assert(
      verify.stdout.includes("INCONCLUSIVE: paging is off on vCPU 0 (CR0.PG=0)"),
      verify.stdout,
    );
    assert(!verify.stdout.includes("Present: True"));
    assertEquals(JSON.parse(range.stdout).verdict, "inconclusive");
    assertMatch(audit.stderr, /paging is off on vCPU 0/);
    assertMatch(root.stderr, /give the mode/);
  },
);

for (
  const [name, extra] of [["-incoming defer", ["-incoming", "defer"]], ["SeaBIOS", []]] as const
) {
  liveTest(`${name}: no verdict, and no application processor among the roots`, async () => {
    await using qemu = await LiveQemu.start([...extra]);
    await using guest = await connect(qemu.endpoints.tcp);
    for (const choice of [{}, { cpu: 1 }, { sampleMs: 20 }]) {
      const { verdict, walk } = await guest.verify(0x1000, { present: false }, choice);
      assertEquals([verdict, walk.outcome], ["inconclusive", "noTables"]);
      assert(walk.source.kind !== "sampleMissed" || walk.source.roots === 0);
    }
  });
}

liveTest("in SMM, by every connector: no verdict, and the reason", async () => {
  await using qemu = await smmGuest();
  for (const connector of connectorsOf(qemu)) {
    await using guest = await connect(connector);
    await until(async () => (await guest.registers(1)).smm === true);
    const { verdict, reason } = await guest.verify(0x8000, { present: false }, { cpu: 1 });
    assertEquals(verdict, "inconclusive");
    assertMatch(reason, /^vCPU 1 is in system-management mode \(SMM=1\)/, connector);
  }
});

liveTest(
  "in a nested guest, by every connector: no verdict, and another vCPU is named",
  async () => {
    await using qemu = await nestedGuest();
    for (const connector of connectorsOf(qemu)) {
      await using guest = await connect(connector);
      await until(async () => (await guest.registers(0)).cr3 === 0x1000n);
      // 0x5000 is mapped in the nested guest, and the guest has other tables.
      for (const expectation of [{ user: true }, { present: false }]) {
        const { verdict, reason } = await guest.verify(0x5000, expectation);
        assertEquals(verdict, "inconclusive", connector);
        assertMatch(reason, /^vCPU 0 seems to be inside a nested guest .* choose a vCPU .*: 1$/);
      }
      const { sharedVa } = qemu.guest.pages;
      const other = await guest.verify(sharedVa, { user: true }, { cpu: 1 });
      assertEquals([other.verdict, other.walk.root], ["pass", qemu.guest.vcpus[1]!.registers.cr3]);
      const named = { root: qemu.guest.vcpus[0]!.registers.cr3 };
      assertEquals((await guest.verify(sharedVa, { user: true }, named)).verdict, "pass");
      const sampled = await guest.verify(sharedVa, { user: true }, { sampleMs: 100 });
      assertEquals([sampled.verdict, sampled.walk.source.kind], ["pass", "sample"]);
    }
  },
);

liveTest(
  "MAXPHYADDR is the machine's, by every connector, and decides on a page beyond it",
  async () => {
    await using running = await startBareGuest("4-level", {
      broken: true,
      qmp: true,
      gdb: true,
      extraArgs: ["-cpu", "max,phys-bits=45"],
    });
    const [, , reserved] = running.guest.broken; // Bit 51 of a small page.
    const connectors = [
      running.monitorPort,
      `qmp:${running.qmpPort}`,
      `gdb:127.0.0.1:${running.gdbPort}`,
    ];
    for (const connector of connectors) {
      await using guest = await connect(connector);
      assertEquals(await guest.physicalAddressBits(), 45);
      const { verdict, walk } = await guest.verify(reserved!, { user: true });
      assertEquals([verdict, walk.outcome], ["inconclusive", "reservedBits"]);
      const range = await guest.verifyRange(reserved!, 4096, { user: true });
      assertEquals([range.verdict, range.gaps[0]?.cause], ["inconclusive", "reservedBits"]);
      const [record] = await Array.fromAsync(
        guest.mappings({ start: reserved!, lengthBytes: 4096 }),
      );
      assertEquals(record?.kind, "reservedBits");
    }
  },
);

/** Waits for what a vCPU comes to by itself. */
async function until(isThere: () => Promise<boolean>): Promise<void> {
  const started = performance.now();
  while (!await isThere()) assert(performance.now() - started < 300_000, "it never came to it");
}
