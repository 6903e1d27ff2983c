import { assertEquals, assertMatch } from "@std/assert";
import { formatAddress } from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { netTo, runExample } from "./_run.ts";

const SCRIPT = "watch_pte.ts";

Deno.test("watch_pte.ts --until cleared ends when the bit falls, and names the flip", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const { stillSet } = guest.addresses;
  const args = [
    `${monitor.port}`,
    formatAddress(stillSet),
    "--until",
    "cleared",
    "--interval",
    "5",
  ];
  const running = runExample(SCRIPT, args, { permissions: netTo(monitor.port) });
  // A walk reads four entries, and each again twice.
  while (monitor.count(/^xp/) < 24) await new Promise((resolve) => setTimeout(resolve, 5));
  guest.process("target").tables!.setRights(stillSet, 1, { user: false });
  const { code, stdout, stderr } = await running;
  assertEquals([code, stderr], [0, ""]);
  const [first, second, ...more] = stdout.trimEnd().split("\n");
  assertMatch(
    first!,
    /^\d{4}-\d\d-\d\dT[\d:.]+Z mapped: PT entry 0x[0-9a-f]+ \(root 0x[0-9a-f]+, vCPU 0\)$/,
  );
  assertMatch(second!, /mapped: PT entry 0x[0-9a-f]+7 -> 0x[0-9a-f]+3: _PAGE_USER 0x1 -> 0x0$/);
  assertEquals(more, []);
  assertEquals([monitor.count("stop"), monitor.count("cont")], [0, 0]);
});

Deno.test("watch_pte.ts --until ends with 2 when the time is over", async () => {
  const { stillSet } = simulatedGuest().addresses;
  const args = ["sim:", formatAddress(stillSet), "--until", "cleared", "--for", "100"];
  const { code, stdout } = await runExample(SCRIPT, args);
  assertEquals([code, stdout.trimEnd().split("\n").length], [2, 1]);
});
