import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { Terminal, TERMINAL_TESTS } from "../repl/_terminal.ts";

/** A monitor that answers each command late. */
function slowMonitor() {
  const monitor = fakeMonitor(simulatedGuest());
  monitor.inject({ fault: { kind: "delay", delayMs: 700 }, on: "info registers", times: 100 });
  return monitor;
}

Deno.test({
  name: "on a terminal, a script that takes more than a second says so, and takes it back",
  ...TERMINAL_TESTS,
  async fn() {
    await using monitor = slowMonitor();
    const port = monitor.endpoint.split(":").at(-1)!;
    await using terminal = await Terminal.start([
      ...[Deno.execPath(), "run", `--allow-net=127.0.0.1:${port}`],
      ...["examples/qemu_verify_pte.ts", port, "0x10000", "--sample", "3000"],
    ]);
    await terminal.until(/… \d s: waiting for a vCPU/);
    const screen = await terminal.until(/\[exit 2\]/);
    assertStringIncludes(screen, "[+] Connected to QEMU monitor");
    assert(!screen.includes("waiting for a vCPU"), screen);
  },
});

Deno.test("in a pipe, nothing is said of what takes long", async () => {
  await using monitor = slowMonitor();
  const port = Number(monitor.endpoint.split(":").at(-1)!);
  const { code, stderr } = await runExample("qemu_verify_pte.ts", [
    `${port}`,
    ...["0x10000", "--sample", "2000"],
  ], { permissions: netTo(port) });
  assertEquals([code, stderr.includes("waiting for a vCPU")], [2, false]);
});
