import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { connect, formatAddress, readStatus, verifyVfio, VfioTally } from "../../mod.ts";
import { readVfioLog } from "../../src/entries/linux.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { LAB_PRESETS, type LabGuest, labTest, startLab } from "../lab/mod.ts";
import { crasher } from "./_crasher.ts";

const WORDS = "VFIO: Successfully cleared _PAGE_USER at vaddr";

/** Runs the check and answers its result line's and its exit code. */
async function check(lab: LabGuest, ...args: string[]): Promise<[number, string]> {
  const { code, stdout, stderr } = await runExample("verify_vfio.ts", [
    `${lab.monitorPort}`,
    ...args,
  ], { permissions: netTo(lab.monitorPort) });
  return [code, stdout + stderr];
}

Deno.test(
  await labTest(
    "users of the guest turn no verdict of the VFIO check",
    "4-level",
    async (t) => {
      const { kernel } = LAB_PRESETS["4-level"];
      // A bystander maps the target's address as well, open to user code.
      await using lab = await startLab({ kernel, features: ["decoy"] });
      const dma = lab.fact("dma").address;
      const left = dma + 240n * 4096n;
      const [before, text] = await check(lab, "--log-only");
      assertEquals(before, 0, text);
      const named = Number(text.match(/PASSED: (\d+) of \1 pages that the log names pass/)![1]);

      await t.step(
        "a program that crashes under the patch's words, as an unprivileged user",
        async () => {
          const program = btoa(String.fromCharCode(...crasher()));
          await lab.shell(
            `mkdir /tmp/x; chmod 755 /tmp/x; echo ${program} | base64 -d > /tmp/x/crash`,
          );
          // 15 bytes are a process's name; a path may have newlines, too.
          const entry = `${WORDS} ${formatAddress(left)}, new PTE: 0x8000000002a0b863`;
          await lab.shell(
            `chmod 755 /tmp/x/crash; cd /tmp/x; cp crash 'VFIO: Clearing '; ` +
              `n=$(printf 'a\\n${entry}\\n'); cp crash "$n"; "./$n"; './VFIO: Clearing '; cd /`,
          );
          const log = await lab.dmesg();
          assertMatch(log, /\] VFIO: Clearing \[\d+\]: segfault at 0 /);
          assertStringIncludes(log, entry);
          assertEquals(await check(lab, "--log-only"), [before, text]);
        },
      );

      await t.step("programs that write to /dev/kmsg", async () => {
        const entry = `${WORDS} ${formatAddress(dma)}, new PTE: 0x863`;
        await lab.shell(`echo '${entry}' > /dev/kmsg; echo '<0>${entry}' > /dev/kmsg`);
        const [code, more] = await check(lab, "--log-only");
        assertEquals(code, before);
        assertStringIncludes(more, "\n[!] 2 records like the patch's were written by programs");
        assertStringIncludes(more, `PASSED: ${named} of ${named} pages`);
      });

      await t.step("the log as text, by all of its printers", async () => {
        const kmsg = await lab.shell(
          "cat /dev/kmsg > /tmp/kmsg & until [ $(grep -c 'PTE: 0x863' /tmp/kmsg) = 2 ]; do sleep 1; " +
            "done; kill $!; cat /tmp/kmsg",
        );
        for (const text of [kmsg, await lab.shell("dmesg -r")]) {
          const { records, fromPrograms } = readVfioLog(text);
          assertEquals([records.filter(({ problem }) => !problem).length, fromPrograms], [
            named,
            2,
          ]);
        }
        // busybox's dmesg prints a record's lines one by one, with the time before each.
        const { records } = readVfioLog(await lab.dmesg());
        assertEquals(records.filter(({ address }) => address === left), []);
      });

      await t.step("a page with the bit fails, whatever is written about it", async () => {
        await lab.restore(5);
        const page = dma + 5n * 4096n;
        for (const who of ["", "<6>"]) {
          await lab.shell(
            `echo '${who}${WORDS} ${formatAddress(page)}, new PTE: 0x863' > /dev/kmsg`,
          );
        }
        const [code, why] = await check(lab, "--log-only");
        assertEquals(code, 1);
        assertStringIncludes(
          why,
          `[-] ${formatAddress(page)} (pid ${lab.target.pid} target): fail: `,
        );
        assertStringIncludes(
          why,
          `${named - 1} of ${named} pages that the log names pass, 1 fails`,
        );
        await lab.clear(5);
      });

      await t.step(
        "--freeze leaves the guest as it was: running, paused, interrupted",
        async () => {
          const port = lab.monitorPort;
          const status = async (command?: "stop" | "cont") => {
            await using guest = await connect(port);
            if (command) await guest.monitor.command(command, { allowUnsafe: [command] });
            return await readStatus(guest.monitor);
          };
          const whole = await check(lab, "--freeze");
          assertEquals(whole[0], 1, whole[1]);
          assertEquals((await status()).running, true);

          assertEquals((await status("stop")).running, false);
          const [code, text] = await check(lab, "--freeze");
          assertEquals(code, 1);
          // Standard error is what follows.
          assert(text.startsWith(whole[1]), text);
          assertStringIncludes(text.slice(whole[1].length), "note: the guest is paused");
          assertEquals((await status()).running, false);
          assertEquals((await status("cont")).running, true);

          const child = new Deno.Command(Deno.execPath(), {
            args: [
              ...["run", ...netTo(port), "examples/verify_vfio.ts", `${port}`],
              ...["--freeze", "--json"],
            ],
            stdout: "piped",
            stderr: "null",
          }).spawn();
          // What is printed is judged while the guest is paused.
          const output = child.stdout.getReader();
          const seen = new TextDecoder().decode((await output.read()).value);
          assertStringIncludes(seen, '"kind"');
          child.kill("SIGINT");
          await output.cancel();
          assertEquals((await child.status).code, 130);
          assertEquals((await status()).running, true);
        },
      );

      await t.step(
        "another process that maps the address is judged only if asked for",
        async () => {
          const decoy = await lab.shell("pidof ticker");
          await using guest = await connect(lab.monitorPort);
          const counts = new Map<string, number>();
          for (const pid of decoy.split(" ").map(Number)) {
            const tally = new VfioTally();
            for await (const judged of verifyVfio(guest, { sources: ["log"], process: pid })) {
              tally.add(judged);
            }
            const { pass, fail, inconclusive } = tally.sources.log.items;
            assertEquals(pass + fail + inconclusive, named);
            assertEquals(pass, 0);
            counts.set(tally.verdict, (counts.get(tally.verdict) ?? 0) + 1);
          }
          assertGreater(counts.get("fail") ?? 0, 0);
          assert(!counts.has("pass"));
        },
      );
    },
  ),
);
