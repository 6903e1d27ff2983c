import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatAddress } from "../../mod.ts";
import { fakeMonitor, simulatedGuest, startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";
import { netTo, runExample } from "./_run.ts";

Deno.test("qemu_verify_pte_simple.ts shows each command, its reply and the arithmetic", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  const { code, stdout } = await runExample(
    "qemu_verify_pte_simple.ts",
    [`${monitor.port}`, "0x7f1234567000"],
    { permissions: netTo(monitor.port) },
  );
  assertEquals(code, 0);
  for (
    const line of [
      "(qemu) info registers",
      "PML4 index = (0x7f1234567000 >> 39) & 0x1ff = 254",
      "PT index = (0x7f1234567000 >> 12) & 0x1ff = 359",
      "_PAGE_USER is cleared (kernel page)",
    ]
  ) assertStringIncludes(stdout, `${line}\n`);
  assertEquals(
    [...stdout.matchAll(/^\(qemu\) xp \/1xg 0x[0-9a-f]+\n0{8}[0-9a-f]{8}: 0x[0-9a-f]{16}$/gm)]
      .length,
    4,
  );
  assertMatch(stdout, /0x8[0-9a-f]{15} & 0x4 = 0x0\n/);
});

Deno.test("qemu_verify_pte_simple.ts never asks for memory outside RAM", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const { code, stderr } = await runExample(
    "qemu_verify_pte_simple.ts",
    [`${monitor.port}`, formatAddress(guest.addresses.corruptTable)],
    { permissions: netTo(monitor.port) },
  );
  assertEquals(code, 3);
  assertStringIncludes(stderr, "outside the guest's RAM");
  assertEquals(guest.deviceReads, []);
});

Deno.test("monitor.ts prints the command's text alone, fit for a pipe", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const run = (command: string) =>
    runExample("monitor.ts", [`${monitor.port}`, command], { permissions: netTo(monitor.port) });
  const mtree = await run("info mtree -f");
  assertEquals([mtree.code, mtree.stderr], [0, ""]);
  assertEquals(mtree.stdout.trimEnd(), guest.command("info mtree -f").trimEnd());
  assertEquals((await run("info status")).stdout, "VM status: running\n");
});

Deno.test("monitor.ts refuses what could change or stop the guest, and sends nothing", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  for (
    const command of ["quit", "stop", "info mem", "info tlb", "system_reset", "info status\nquit"]
  ) {
    const sent = monitor.count();
    const { code, stdout, stderr } = await runExample("monitor.ts", [`${monitor.port}`, command], {
      permissions: netTo(monitor.port),
    });
    assertEquals([command, code, stdout], [command, 3, ""]);
    assertMatch(stderr, /^error: .+\n(Try: .+\n)?$/);
    assertEquals(monitor.count(), sent, command);
  }
});

liveTest("the three scripts run on a real QEMU with no permission but the monitor's", async () => {
  await using running = await startBareGuest("4-level");
  const permissions = netTo(running.monitorPort);
  const { sharedVa } = running.guest.pages;
  const expected = running.guest.vcpus[0]!.tables!.expect(sharedVa);
  const user = expected.outcome === "mapped" && expected.leaf.leaf.user;
  for (const script of ["qemu_verify_pte.ts", "qemu_verify_pte_simple.ts"]) {
    const args = [`${running.monitorPort}`, formatAddress(sharedVa)];
    const { code, stderr } = await runExample(script, args, { permissions });
    assertEquals([script, code, stderr], [script, user ? 1 : 0, ""]);
  }
  const status = await runExample("monitor.ts", [`${running.monitorPort}`, "info status"], {
    permissions,
  });
  assertEquals(status.stdout, "VM status: running\n");
});
