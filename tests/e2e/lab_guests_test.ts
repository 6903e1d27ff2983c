/**
 * The seed's scenario for real: Linux guests with VFIO, whose kernel clears `_PAGE_USER`. The scripts
 * run as processes with no permission but the monitor's.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkLines } from "../json/_schema.ts";
import { connect, formatAddress } from "../../mod.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { type LabFact, type LabGuest, type LabPresetName, labTest, startLab } from "../lab/mod.ts";
import { compareMapping, compareTlb, spaceOf } from "./_compare_guest.ts";

const PRESETS: LabPresetName[] = ["pti", "all", "pae", "2-level"];

for (const preset of PRESETS) {
  Deno.test(
    await labTest(
      `lab ${preset}: from outside, pagewalk sees what the guest sees`,
      preset,
      async (t) => {
        await using guest = await startLab(preset);
        const target = guest.target;
        const port = guest.monitorPort;
        const run = (
          script: string,
          args: string[],
          more: { stdin?: string; onOutput?: () => void } = {},
        ) => runExample(script, [`${port}`, ...args], { permissions: netTo(port), ...more });
        const root = ["--root", formatAddress(target.root)];

        await t.step(
          "every entry equals the kernel's own, every frame /proc/PID/pagemap's",
          async () => {
            await using session = await connect(port);
            const space = await spaceOf(session, target);
            let entries = 0;
            for (const fact of guest.facts) entries += await compareMapping(guest, space, fact);
            console.log(
              `  ${preset}: ${entries} entries compared with the kernel's, no difference`,
            );
          },
        );

        await t.step("every leaf of info tlb equals the walk's", async () => {
          await using session = await connect(port);
          const rows = await compareTlb(session, 0);
          // In user mode under KPTI a vCPU runs on tables that hold little but its process.
          assert(rows > 20, `${rows} rows`);
          console.log(`  ${preset}: ${rows} rows of info tlb compared, no difference`);
        });

        await t.step("each kind of page gets its verdict, with the target asleep", async () => {
          for (const fact of guest.facts) await checkVerdict(guest, fact, run, root);
        });

        await t.step("the buffer as a whole: 240 pages pass, 16 fail", async () => {
          const { address, lengthBytes } = guest.fact("dma");
          const args = [formatAddress(address), `${lengthBytes}`, ...root];
          const { code, stdout } = await run("verify_range.ts", args);
          assertEquals(code, 1);
          assertMatch(stdout, /240 of 256 pages pass; first failure 0x[0-9a-f]+/);
          const cleared = await run("verify_range.ts", [args[0]!, `${240 * 4096}`, ...root]);
          assertEquals(cleared.code, 0);
        });

        await t.step("the kernel's log: every page that it names is as it left it", async () => {
          const { code, stdout, stderr } = await run("verify_dmesg.ts", root, {
            stdin: await guest.dmesg(),
          });
          assertEquals([code, stderr], [0, ""], stdout);
          assertMatch(stdout, /\[\+\] (\d+) of \1 pages pass\n$/);
        });

        await t.step("watching: the bit is seen to fall", async () => {
          const page = formatAddress(guest.address(250));
          const first = Promise.withResolvers<void>();
          const args = [page, "--until", "cleared", "--for", "300000", ...root];
          const watching = run("watch_pte.ts", args, { onOutput: first.resolve });
          // It may end without a word, by an error.
          await Promise.race([first.promise, watching]);
          await guest.clear(250);
          const { code, stdout } = await watching;
          assertEquals(code, 0, stdout);
          assertMatch(stdout, /_PAGE_USER 0x1 -> 0x0/);
          await guest.restore(250);
        });

        // Sampling finds a process that maps the address: the target, unless another one does too.
        if (guest.preset.features.includes("decoy")) return;
        await t.step(
          "without a hint the sleeping target's table is not found; sampling finds it",
          async () => {
            const address = formatAddress(guest.address(0));
            const asleep = await run("qemu_verify_pte.ts", [address, "--sample", "200"]);
            assertEquals(asleep.code, 2, asleep.stdout);
            assertStringIncludes(asleep.stdout, "--root");
            await guest.busy("on");
            const sampled = await run("qemu_verify_pte.ts", [
              address,
              "--sample",
              "20000",
              "--json",
            ]);
            await guest.busy("off");
            assertEquals(sampled.code, 0, sampled.stdout + sampled.stderr);
            const record = JSON.parse(sampled.stdout);
            const roots = [target.root, target.userRoot].map((address) => formatAddress(address));
            assert(roots.includes(record.root), `${record.root} is none of ${roots}`);
          },
        );
      },
    ),
  );
}

/** Runs the verifier on a page of each kind, and compares its word with the guest's. */
async function checkVerdict(
  guest: LabGuest,
  fact: LabFact,
  run: (script: string, args: string[]) => ReturnType<typeof runExample>,
  root: string[],
): Promise<void> {
  const last = fact.address + BigInt(fact.lengthBytes - fact.pageBytes);
  const { code, stdout } = await run("qemu_verify_pte.ts", [
    formatAddress(last),
    "--json",
    ...root,
  ]);
  const [record] = checkLines("qemu_verify_pte.ts", stdout);
  const about = `${fact.name} at ${formatAddress(last)}: ${stdout}`;
  if (fact.state !== "present") {
    assertEquals([code, record.outcome, record.verdict], [2, "notPresent", "inconclusive"], about);
    return;
  }
  const cleared = fact.user === "cleared";
  assertEquals([code, record.verdict], cleared ? [0, "pass"] : [1, "fail"], about);
  assertEquals(record.pageSizeBytes, fact.pageBytes, about);
  assertEquals(record.leaf.user, !cleared, about);
  assertEquals(record.effective.user, !cleared && fact.user !== "parent", about);
  if (fact.user === "parent") assertEquals(record.decidedBy.user, 2, about);
  const isReadOnly = !fact.protection.includes("w") || fact.name === "zero";
  assertEquals(record.leaf.writable, !isReadOnly, about);
  // On 64 bits an executable page is so for user code, also under KPTI; PAE's user pages carry no NX.
  if (guest.target.levels >= 4) {
    assertEquals(record.effective.executable, fact.protection.includes("x"), about);
  }
}
