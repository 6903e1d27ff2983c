import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatAddress } from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { netTo, runExample } from "./_run.ts";

const SCRIPT = "verify_dmesg.ts";

/** The log that the patch under test would have left for the first pages of the DMA buffer. */
function logOf(guest: ReturnType<typeof simulatedGuest>, pages: number): string {
  const { tables } = guest.process("target");
  const { start } = guest.addresses.dmaBuffer;
  return Array.from({ length: pages }, (_, i) => {
    const address = start + BigInt(i * 4096);
    const entry = tables!.entry(address, 1);
    const at = `[   12.34567${i % 10}] VFIO:`;
    return `${at} Clearing _PAGE_USER at vaddr ${formatAddress(address)}, old PTE: ${
      formatAddress(entry | 4n)
    }\n${at} Successfully cleared _PAGE_USER at vaddr ${formatAddress(address)}, new PTE: ${
      formatAddress(entry & ~0x60n) // accessed and dirty come and go
    }\n`;
  }).join("");
}

Deno.test("verify_dmesg.ts passes where every logged page is as the log left it", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const { code, stdout, stderr } = await runExample(SCRIPT, [`${monitor.port}`], {
    stdin: `Linux version 6.1\n${logOf(guest, guest.addresses.dmaBuffer.clearedPages)}`,
    permissions: netTo(monitor.port),
  });
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /\n\[\+\] 16 of 16 pages pass\n$/);
});

Deno.test("verify_dmesg.ts fails on a page that still has the bit, and on one that was changed", async () => {
  const guest = simulatedGuest();
  const stdin = logOf(guest, 18);
  const missed = await runExample(SCRIPT, ["sim:", "-"], { stdin });
  assertEquals(missed.code, 1);
  assertMatch(missed.stdout, /\n\[-\] 16 of 18 pages pass; first failure 0x7f1234577000\n$/);
  assertStringIncludes(missed.stdout, "0x7f1234577000: fail: _PAGE_USER is set in the PTE");

  const { tables } = guest.process("target");
  tables!.setRights(guest.addresses.cleared, 1, { writable: false });
  await using monitor = fakeMonitor(guest);
  const changed = await runExample(SCRIPT, [`${monitor.port}`], {
    stdin: logOf(simulatedGuest(), 2),
    permissions: netTo(monitor.port),
  });
  assertEquals(changed.code, 1);
  assertMatch(changed.stdout, /but the log left 0x[0-9a-f]+: _PAGE_RW changed since/);
});

Deno.test("verify_dmesg.ts reads a file with the permission for that file alone", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, logOf(simulatedGuest(), 1));
    const allowed = await runExample(SCRIPT, ["sim:", file], {
      permissions: [`--allow-read=${file}`],
    });
    assertEquals([allowed.code, allowed.stderr], [0, ""]);
    const refused = await runExample(SCRIPT, ["sim:", file]);
    assertEquals(refused.code, 3);
    assertStringIncludes(refused.stderr, `run deno with --allow-read=${file}\n`);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("verify_dmesg.ts says so when the log has no such line, and is inconclusive without a page", async () => {
  const none = await runExample(SCRIPT, ["sim:"], { stdin: "[    0.0] Linux version 6.1\n" });
  assertEquals([none.code, none.stdout], [3, ""]);
  assertStringIncludes(none.stderr, 'no line with "VFIO: Clearing _PAGE_USER"');
  const { neverTouched } = simulatedGuest().addresses;
  const stdin = `VFIO: Clearing _PAGE_USER at vaddr ${formatAddress(neverTouched)}, old PTE: 0x1\n`;
  assertEquals((await runExample(SCRIPT, ["sim:"], { stdin })).code, 2);
});
