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

/** Runs the script on a text, against the simulated guest. */
async function verdictOn(stdin: string, ...args: string[]): Promise<[number, string]> {
  const { code, stdout, stderr } = await runExample(SCRIPT, ["sim:", "-", ...args], { stdin });
  return [code, stdout + stderr];
}

Deno.test("verify_dmesg.ts counts what the kernel wrote, and says what programs wrote", async () => {
  const log = logOf(simulatedGuest(), 3);
  const open = logOf(simulatedGuest(), 17).split("\n").slice(32, 34).map((line) => line.slice(15));
  const forged = [
    "[   13.000001] VFIO: Clearing [123]: segfault at 7f1234577000 ip 401000 error 4 in a[401000+1]",
    ...open.map((text) => `[   13.000002] process[1]: ${text}`),
    ...open.map((text) => `Nov 25 17:00:00 vm logger[1]: ${text}`),
    ...open.map((text) => `12,340,5140900,-;${text}`),
  ].join("\n");
  for (const text of [`${log}${forged}\n`, `${forged}\n${log}`]) {
    const [code, said] = await verdictOn(text);
    assertEquals(code, 0);
    assertStringIncludes(said, "[!] 2 lines like the patch's were written by programs");
    assertMatch(said, /\n\[\+\] 3 of 3 pages pass\n$/);
  }
  const [refused, why] = await verdictOn(`12,340,5140900,-;${open[0]}\n`);
  assertEquals(refused, 3);
  assertStringIncludes(why, "1 lines like the patch's were written by programs, not by the kernel");
});

Deno.test("verify_dmesg.ts counts a record that cannot be read, and goes on", async () => {
  const log = logOf(simulatedGuest(), 3);
  const unreadable =
    "[   13.1] VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000123456789abc, old PTE: 0x1";
  for (const text of [`${unreadable}\n${log}`, `${log}${unreadable}\n`]) {
    const [code, said] = await verdictOn(text);
    assertEquals(code, 2);
    assertStringIncludes(
      said,
      "[-] a record: inconclusive: the record has a number of more than 64",
    );
    assertMatch(said, /\n\[-\] 3 of 4 pages pass; 1 could not be judged\n$/);
  }
  const [, json] = await verdictOn(`${unreadable}\n${log}`, "--json");
  assertEquals(json.trim().split("\n").map((line) => JSON.parse(line).verdict), [
    "inconclusive",
    ...["pass", "pass", "pass"],
  ]);
});

Deno.test("verify_dmesg.ts judges no page of which the log contradicts itself, in either order", async () => {
  const guest = simulatedGuest();
  const [clearing, cleared] = logOf(guest, 1).trim().split("\n") as [string, string];
  const other = cleared.replace(/new PTE: .*/, "new PTE: 0x8000000012345003");
  for (const lines of [[clearing, cleared, other], [other, clearing, cleared], [cleared, other]]) {
    const [code, said] = await verdictOn(lines.join("\n"));
    assertEquals(code, 2);
    assertMatch(said, /inconclusive: the log contradicts itself/);
    assertMatch(said, /\n\[-\] 0 of 1 pages pass; 1 could not be judged\n$/);
  }
});

Deno.test("verify_dmesg.ts: lines without a prefix, which any user can write, give no verdict", async () => {
  const line = "VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x800000011008f067\n";
  const both = [["[    1.0] ", [0, "pass"]], ["", [2, "inconclusive"]]] as const;
  for (const [prefix, expected] of both) {
    const stdin = prefix + line;
    const text = await runExample("verify_dmesg.ts", ["sim:"], { stdin });
    const json = await runExample("verify_dmesg.ts", ["sim:", "--json"], { stdin });
    assertEquals([text.code, JSON.parse(json.stdout).verdict], [...expected], text.stdout);
  }
});
