import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatAddress } from "../../mod.ts";
import { fakeMonitor, simulatedGuest, startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";
import { netTo, runExample } from "./_run.ts";

const SCRIPT = "qemu_verify_pte.ts";

Deno.test("qemu_verify_pte.ts prints the known lines in their order, with right indices", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  const args = [`${monitor.port}`, "0x7f1234567000"];
  const { code, stdout, stderr } = await runExample(SCRIPT, args, {
    permissions: netTo(monitor.port),
  });
  assertEquals([code, stderr], [0, ""]);
  const pattern = [
    `\\[\\+\\] Connected to QEMU monitor at 127\\.0\\.0\\.1:${monitor.port}`,
    "\\[\\+\\] CR3 \\(Page Table Base\\): 0x[0-9a-f]+ \\(vCPU 0\\)",
    "",
    "\\[\\+\\] Resolving PTE for virtual address 0x7f1234567000",
    "    PML4 index: 254",
    "    PDPT index: 72",
    "    PD index: 418",
    "    PT index: 359",
    "    PML4 entry: 0x[0-9a-f]+, base: 0x[0-9a-f]+000",
    "    PDPT entry: 0x[0-9a-f]+, base: 0x[0-9a-f]+000",
    "    PD entry: 0x[0-9a-f]+, base: 0x[0-9a-f]+000",
    "    PTE address: 0x[0-9a-f]+b38",
    "    PTE value: 0x8[0-9a-f]+",
    "",
    "\\[\\+\\] PTE Analysis:",
    "    Present: True",
    "    _PAGE_USER bit: CLEARED \\(kernel page\\)",
    "    _PAGE_USER value: 0x0",
    "    Page: 0x[0-9a-f]+, 4 KiB",
    "    Effective rights: user no, write yes, execute no",
    "",
    "\\[\\+\\] SUCCESS: _PAGE_USER bit is cleared \\(kernel page\\)",
    "\\[\\+\\] Verification PASSED: _PAGE_USER bit is cleared",
    "",
  ].join("\n");
  assertMatch(stdout, new RegExp(`^${pattern}$`));
});

Deno.test("qemu_verify_pte.ts fails with 1, and tells a set leaf under a cleared parent", async () => {
  const { stillSet, parentCleared } = simulatedGuest().addresses;
  const set = await runExample(SCRIPT, ["sim:", formatAddress(stillSet)]);
  assertEquals(set.code, 1);
  assertStringIncludes(
    set.stdout,
    "[-] FAIL: _PAGE_USER bit is still set (0x4)\n" +
      "[-] Verification FAILED: _PAGE_USER bit is still set\n",
  );
  const parent = await runExample(SCRIPT, ["sim:", formatAddress(parentCleared)]);
  assertEquals(parent.code, 1);
  assertStringIncludes(parent.stdout, "but the PDE above it has it cleared");
  assertStringIncludes(parent.stdout, "user no (PDE decides)");
  const effective = await runExample(SCRIPT, ["sim:", formatAddress(parentCleared), "--effective"]);
  assertEquals(effective.code, 0);
});

Deno.test("qemu_verify_pte.ts --expect set turns the question round", async () => {
  const { stillSet, cleared } = simulatedGuest().addresses;
  const expectSet = (address: bigint) =>
    runExample(SCRIPT, ["sim:", formatAddress(address), "--expect", "set"]);
  const [passes, fails] = [await expectSet(stillSet), await expectSet(cleared)];
  assertEquals([passes.code, fails.code], [0, 1]);
  assertStringIncludes(passes.stdout, "[+] Verification PASSED: _PAGE_USER bit is set\n");
  assertStringIncludes(fails.stdout, "[-] Verification FAILED: _PAGE_USER bit is still cleared\n");
});

Deno.test("qemu_verify_pte.ts is inconclusive on a page that is not there, and says what to try", async () => {
  const { neverTouched } = simulatedGuest().addresses;
  const { code, stdout } = await runExample(SCRIPT, ["sim:", formatAddress(neverTouched)]);
  assertEquals(code, 2);
  assertStringIncludes(stdout, "    Present: False\n");
  for (const option of ["--cpu", "--root", "--sample"]) assertStringIncludes(stdout, option);
});

Deno.test("qemu_verify_pte.ts names large pages by their own entry", async () => {
  const { largePage, hugePage } = simulatedGuest().addresses;
  const large = await runExample(SCRIPT, ["sim:", formatAddress(largePage)]);
  assertMatch(large.stdout, /PDE address: 0x[0-9a-f]+\n {4}PDE value: 0x/);
  assertStringIncludes(large.stdout, ", 2 MiB\n");
  assert(!large.stdout.includes("    PT index"));
  const huge = await runExample(SCRIPT, ["sim:", formatAddress(hugePage!)]);
  assertMatch(huge.stdout, /PDPTE address: 0x[0-9a-f]+\n {4}PDPTE value: 0x/);
  assertStringIncludes(huge.stdout, ", 1 GiB\n");
});

Deno.test("qemu_verify_pte.ts --json prints one object with every field", async () => {
  const { parentCleared } = simulatedGuest().addresses;
  const { code, stdout } = await runExample(SCRIPT, [
    "sim:",
    formatAddress(parentCleared),
    "--json",
  ]);
  assertEquals([code, stdout.trimEnd().split("\n").length], [1, 1]);
  const record = JSON.parse(stdout);
  assertEquals([record.address, record.mode, record.outcome], [
    "0x7f1241000000",
    "4-level",
    "mapped",
  ]);
  assertEquals(record.source, { kind: "cpu", cpu: 0 });
  assertEquals(record.steps.map((level: { name: string }) => level.name), [
    "PML4",
    "PDPT",
    "PD",
    "PT",
  ]);
  assertEquals(Object.keys(record.steps[0]), ["level", "name", "index", "address", "raw"]);
  assertEquals([record.leaf.user, record.effective.user, record.decidedBy.user], [true, false, 2]);
  assertEquals([record.pageSizeBytes, record.verdict], [4096, "fail"]);
  assertMatch(record.physicalAddress, /^0x[0-9a-f]+$/);
});

Deno.test("qemu_verify_pte.ts reads the table that was chosen, and says whose it is", async () => {
  const guest = simulatedGuest({ schedule: [["idle"], ["target"]] });
  await using monitor = fakeMonitor(guest);
  const address = formatAddress(guest.addresses.cleared);
  const permissions = netTo(monitor.port);
  const run = (...options: string[]) =>
    runExample(SCRIPT, [`${monitor.port}`, address, ...options], { permissions });
  const [byDefault, byCpu, byRoot] = [
    await run(),
    await run("--cpu", "1"),
    await run("--root", formatAddress(guest.process("target").root)),
  ];
  assertEquals([byDefault.code, byCpu.code, byRoot.code], [2, 0, 0]);
  assertStringIncludes(byCpu.stdout, "(vCPU 1)");
  assertStringIncludes(byRoot.stdout, "(given root)");
  const both = await run("--cpu", "1", "--root", "0x1000");
  assertEquals(both.code, 3);
  assertStringIncludes(both.stderr, "exclude each other");
});

Deno.test("qemu_verify_pte.ts --sample waits for a target that runs now and then", async () => {
  const rarely = Array.from({ length: 40 }, (_, i) => i === 39 ? "target" : "idle" as const);
  const guest = simulatedGuest({ schedule: [rarely as ("idle" | "target")[], ["other"]] });
  await using monitor = fakeMonitor(guest);
  const args = [`${monitor.port}`, formatAddress(guest.addresses.cleared), "--sample"];
  const permissions = netTo(monitor.port);
  const found = await runExample(SCRIPT, [...args, "20000"], { permissions });
  assertEquals([found.code, found.stderr], [0, ""]);
  assertMatch(found.stdout, /\(vCPU 0, sampled after \d+ ms\)/);
  guest.run(0, "idle");
  const missed = await runExample(SCRIPT, [...args, "50"], { permissions });
  assertEquals(missed.code, 2);
  assertMatch(missed.stdout, /none of the 2 roots seen in \d+ samples maps the address/);
});

liveTest(
  "qemu_verify_pte.ts judges each kind of page of a real guest as the builder does",
  async () => {
    for (const mode of ["pae", "5-level"] as const) {
      await using running = await startBareGuest(mode);
      const { port, permissions } = {
        port: running.monitorPort,
        permissions: netTo(running.monitorPort),
      };
      for (const [cpu, { tables }] of running.guest.vcpus.entries()) {
        const leaves = tables!.leaves();
        const kinds = new Map(leaves.map((leaf) => [
          `${leaf.size} ${leaf.leaf.user} ${leaf.effective.user} ${leaf.decidedBy.user}`,
          leaf,
        ]));
        assert(kinds.size >= 4, `${mode}: ${[...kinds.keys()]}`);
        for (const leaf of kinds.values()) {
          const args = [`${port}`, formatAddress(leaf.va), "--cpu", `${cpu}`, "--json"];
          const { code, stdout } = await runExample(SCRIPT, args, { permissions });
          const record = JSON.parse(stdout);
          assertEquals(code, leaf.leaf.user ? 1 : 0);
          assertEquals(record.physicalAddress, formatAddress(leaf.pa));
          assertEquals(record.decidedBy.user, leaf.decidedBy.user);
          assertEquals(record.steps.length, leaf.path.length);
        }
      }
    }
  },
);

Deno.test("qemu_verify_pte.ts reads addresses as info mem prints them, and says how it read others", async () => {
  const bare = await runExample("qemu_verify_pte.ts", ["sim:", "00007f1234567000"]);
  assertEquals([bare.code, bare.stderr], [0, ""]);
  assertStringIncludes(bare.stdout, "Resolving PTE for virtual address 0x7f1234567000");
  const decimal = await runExample("qemu_verify_pte.ts", ["sim:", "400000"]);
  assertEquals(
    decimal.stderr,
    "note: 400000 was read as decimal, 0x61a80: write 0x400000 for hexadecimal\n",
  );
  const sampled = await runExample("mappings.ts", ["sim:", "--sample", "10"]);
  assertEquals(sampled.code, 3);
  assertStringIncludes(sampled.stderr, "Sampling waits for tables that map an address");
});
