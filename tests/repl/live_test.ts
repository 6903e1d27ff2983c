import { assertEquals, assertStringIncludes } from "@std/assert";
import { groupHex } from "../../src/repl/show/group_hex.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";
import { Terminal, TERMINAL_TESTS } from "./_terminal.ts";

liveTest("terminal: a real QEMU that quits and comes back", async (t) => {
  if (TERMINAL_TESTS.ignore) {
    await t.step({ name: "no tmux", ignore: true, fn: () => {} });
    return;
  }
  const first = await startBareGuest("4-level");
  const { guest, monitorPort } = first;
  const port = String(monitorPort);
  const version = /QEMU \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+/;
  const address = `0x${guest.marker.va.toString(16)}`;
  const expected = guest.vcpus[0]!.tables!.expect(guest.marker.va);
  if (expected.outcome !== "mapped") throw new Error("The marker is not mapped");

  await using terminal = await Terminal.startRepl([port], [`--allow-net=127.0.0.1:${port}`]);
  try {
    await terminal.until(version);
    await terminal.enter(`const w = walk(${address})`);
    await terminal.enter(`w.physicalAddress === ${expected.physicalAddress}n`);
    await terminal.until(/\ntrue\npagewalk:cpu0>$/);
    await terminal.enter("cpus().map(({ cpu, root }) => [cpu, root])");
    const roots = await terminal.until(/\]\npagewalk:cpu0>$/);
    guest.vcpus.forEach(({ registers: { cr3 } }, cpu) => {
      assertStringIncludes(roots, `[ ${cpu}, ${groupHex(cr3)} ]`);
    });
    await terminal.type('monitor("info regi');
    await terminal.press("Tab");
    await terminal.enter('").includes("CR3")');
    await terminal.until(/info registers"\)\.includes\("CR3"\)\ntrue\npagewalk:cpu0>$/);
  } finally {
    await first[Symbol.asyncDispose]();
  }
  await terminal.enter("regs()");
  await terminal.until(/ConnectionLostError: .*\n(?:.*\n)*pagewalk:cpu0 \(lost\)>$/);

  await using _again = await startBareGuest("4-level", { monitorPort });
  await terminal.enter(`walk(w.address).physicalAddress === w.physicalAddress`);
  const screen = await terminal.until(/Connected again to QEMU .*\ntrue\npagewalk:cpu0>$/);
  assertEquals(version.test(screen), true);
  await terminal.press("C-d");
  await terminal.until(/\[exit 0\]$/);
});
