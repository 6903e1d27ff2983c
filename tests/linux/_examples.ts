import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatAddress } from "../../mod.ts";
import { netTo, runExample } from "../examples/_run.ts";
import type { LabGuest } from "../lab/mod.ts";
import { withoutTabs } from "./_compare.ts";

/** Runs the scripts on a guest as users would, with nothing but the permission for its monitor. */
export async function checkExamples(lab: LabGuest): Promise<void> {
  async function run(script: string, ...args: string[]): Promise<[number, string]> {
    const { code, stdout, stderr } = await runExample(script, [`${lab.monitorPort}`, ...args], {
      permissions: netTo(lab.monitorPort),
    });
    return [code, stdout + stderr];
  }
  const { pid, root, userRoot } = lab.target;

  // The check in one command: passes, fails when a page gets its bit back, and passes again.
  const [passed, text] = await run("verify_vfio.ts");
  assertMatch(text, /\n\[\+\] (\d+) of \1 pages pass\n$/);
  assertStringIncludes(text, `CR3 (Page Table Base): ${formatAddress(root)} (pid ${pid} target)`);
  assertEquals(passed, 0);
  const cleared = Number(text.match(/its log names (\d+) pages/)![1]) - 1;
  const page = lab.fact("dma").address + BigInt(4096 * 3);
  const [, single] = await run("qemu_verify_pte.ts", formatAddress(page), "--pid", `${pid}`);
  const wasCleared = single.includes("Verification PASSED");
  if (!wasCleared) await lab.clear(page);
  await lab.restore(page);
  const [failed, why] = await run("verify_vfio.ts");
  assertEquals(failed, 1);
  assertStringIncludes(why, `[-] ${formatAddress(page)}: fail: _PAGE_USER is set in the PTE`);
  await lab.clear(page);
  const [again, summary] = await run("verify_vfio.ts");
  assertEquals(again, 0);
  assertMatch(
    summary,
    new RegExp(`\\[\\+\\] (${cleared + 1}|${cleared + 2}) of \\1 pages pass\n$`),
  );
  // Of the lab's processes one alone holds pages that were cleared.
  for (const whose of [["--pid", `${pid}`], ["--comm", "target"]]) {
    assertEquals(await run("verify_vfio.ts", ...whose), [again, summary]);
  }
  for (const others of [["--comm", "init"], ["--pid", `${pid}`, "--comm", "init"]]) {
    const [none, said] = await run("verify_vfio.ts", ...others);
    assertEquals(none, 2);
    assertMatch(said, /\n\[!\] No pages\n$/);
  }
  // The device's memory is mapped for user code, as the lab leaves it.
  const [maps, judged] = await run("verify_vfio.ts", "--vfio-maps");
  assertEquals(maps, 1);
  assertStringIncludes(judged, "anon_inode:[vfio-device] (pid");

  const [, listed] = await run("processes.ts", "--user", "--json");
  const target = JSON.parse(listed).find((process: { pid: number }) => process.pid === pid);
  assertEquals([target.comm, target.root, target.userRoot], [
    "target",
    formatAddress(root),
    formatAddress(userRoot),
  ]);
  const [, memory] = await run("maps.ts", "--pid", `${pid}`);
  assertMatch(memory, /^7f1250020000-7f1250024000 +---p +PROT_NONE 16 KiB$/m);
  assertMatch(memory, /^7f1250040000-7f1250044000 +rw-p +swapped 16 KiB$/m);
  const log = withoutTabs(await lab.dmesg());
  assertEquals(await run("dmesg.ts"), [0, `${log}\n`]);
  const line = await lab.shell("grep ' init_task$' /proc/kallsyms");
  const [address, type] = line.split(" ");
  assertEquals(await run("symbols.ts", "init_task"), [0, `0x${address} ${type} init_task\n`]);
  const inside = `0x${(BigInt(`0x${address}`) + 16n).toString(16)}`;
  assertStringIncludes((await run("symbols.ts", inside))[1], `${inside} = init_task+0x10`);
  const [refused, error] = await run("maps.ts", "--pid", "99999");
  assertEquals(refused, 3);
  assertMatch(error, /^error: The guest has no process 99999; it has .*\n$/);
}
