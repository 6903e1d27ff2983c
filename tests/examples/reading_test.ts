/** How the scripts read a guest: its tables looked up once, and under --freeze while it is paused. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { encodeSnapshot, pagingContext, snapshot } from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { netTo, runExample } from "./_run.ts";

const VA = "0x7f1234567000";

/** Each script that judges tables, with its arguments around the monitor's. */
const SCRIPTS: Record<
  string,
  { before?: string[]; after?: string[]; stdin?: string; registers?: number }
> = {
  "qemu_verify_pte.ts": { after: [VA] },
  "qemu_verify_pte_simple.ts": { after: [VA] },
  "verify_range.ts": { after: [VA, "16K"] },
  "verify_dmesg.ts": {
    stdin: "[    1.0] VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x1\n",
  },
  "fleet.ts": { before: [VA] },
  "audit.ts": { after: ["--fail-on", "high"] },
  "snapshot.ts": { after: ["FOLDER/a.pwsnap"] },
  // Once more for the names: a kernel is looked for in the tables of each vCPU.
  "report.ts": { after: ["-o", "FOLDER/a.html"], registers: 2 },
  "diff.ts": { before: ["FOLDER/sim.pwsnap"] },
};

for (const [script, words] of Object.entries(SCRIPTS)) {
  const { before: first = [], after = [], stdin, registers: asked = 1 } = words;
  Deno.test(`${script} --freeze reads a paused guest, and looks its tables up once`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const guest = simulatedGuest();
      const before = await snapshot(guest.memory, pagingContext(guest.registers(0)));
      await Deno.writeFile(`${folder}/sim.pwsnap`, await encodeSnapshot(before));
      await using monitor = fakeMonitor(guest);
      const args = [...first, `${monitor.port}`, ...after, "--freeze"];
      const files = [`--allow-read=${folder}`, `--allow-write=${folder}`];
      const { code, stderr } = await runExample(
        script,
        args.map((word) => word.replace("FOLDER", folder)),
        {
          permissions: [...netTo(monitor.port), ...files],
          ...stdin !== undefined && { stdin },
        },
      );
      assertLess(code, 3, stderr);
      assertEquals(monitor.count("info registers"), asked);
      const { commands } = monitor;
      const [stop, cont] = [commands.indexOf("stop"), commands.indexOf("cont")];
      assertEquals([monitor.count("stop"), monitor.count("cont"), guest.running], [1, 1, true]);
      const reads = commands.flatMap((line, i) => line.startsWith("xp ") ? [i] : []);
      assert(reads.length > 0 && reads.every((at) => stop < at && at < cont));
      const registers = commands.findIndex((line) => line.startsWith("info registers"));
      assert(stop < registers && registers < cont);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("mappings.ts and diff.ts list the tables that they name, once looked up", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const options = { permissions: netTo(monitor.port) };
  const listed = await runExample("mappings.ts", [`${monitor.port}`], options);
  assertEquals([listed.stderr, monitor.count("info registers")], ["", 1]);
  const compared = await runExample("diff.ts", ["sim:", `${monitor.port}`], options);
  assertEquals(monitor.count("info registers"), 2);
  assertStringIncludes(compared.stdout, "[+] before: root 0x5100000 (sim:, vCPU 0)\n");
  assertStringIncludes(
    compared.stdout,
    `[+] after: root 0x5100000 (${monitor.port}, vCPU 0)\n`,
  );
});

Deno.test("a script does not freeze a guest while it waits for another process", async () => {
  const { code, stderr } = await runExample("qemu_verify_pte.ts", [
    "sim:",
    VA,
    "--freeze",
    "--sample",
    "10",
  ]);
  assertEquals(code, 3);
  assertStringIncludes(stderr, "--freeze and --sample exclude each other");
});
