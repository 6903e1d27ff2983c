import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkLines } from "../json/_schema.ts";
import { checkLinuxJson } from "../json/_linux.ts";
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

  // The check in one command: all that the log names is cleared, 16 pinned pages are not.
  const [both, text] = await run("verify_vfio.ts");
  assertStringIncludes(text, `CR3 (Page Table Base): ${formatAddress(root)} (pid ${pid} target)`);
  assertMatch(
    text,
    /\n\[-\] Verification FAILED: (\d+) of \1 pages that the log names pass; 240 of 256 pinned pages pass, 16 fail; 240 of 256 pages that devices reach pass, 16 fail; not looked at: devices' memory\n$/,
  );
  assertEquals(both, 1);
  for (const whose of [["--pid", `${pid}`], ["--comm", "target"]]) {
    assertEquals(await run("verify_vfio.ts", ...whose), [both, text]);
  }
  // The log alone: passes, fails when a page gets its bit back, and passes again.
  const [passed, all] = await run("verify_vfio.ts", "--log-only");
  assertEquals(passed, 0);
  const cleared = Number(all.match(/PASSED: (\d+) of \1 pages that the log names pass/)![1]);
  const page = lab.fact("dma").address + BigInt(4096 * 3);
  await lab.restore(page);
  const [failed, why] = await run("verify_vfio.ts", "--log-only");
  assertEquals(failed, 1);
  assertStringIncludes(
    why,
    `[-] ${formatAddress(page)} (pid ${pid} target): fail: _PAGE_USER is set in the PTE`,
  );
  assertStringIncludes(why, `${cleared - 1} of ${cleared} pages that the log names pass, 1 fails`);
  await lab.clear(page);
  assertEquals(await run("verify_vfio.ts", "--log-only"), [passed, all]);
  // Every record is judged in the process that is asked for: this one has none of the pages.
  const shell = Number(await lab.shell("echo $$"));
  const [none, said] = await run("verify_vfio.ts", "--pid", `${shell}`);
  assertEquals(none, 2);
  assertStringIncludes(
    said,
    `INCONCLUSIVE: 0 of ${cleared} pages that the log names pass, ${cleared} could not be judged; ` +
      "VFIO has pinned nothing",
  );
  const [several, refusal] = await run("verify_vfio.ts", "--comm", "init");
  assertEquals(several, 3);
  assertStringIncludes(refusal, 'processes are named "init": choose one by pid');
  for (
    const [one, other] of [["--pid=1", "--comm=init"], ["--log-only", "--vfio-maps"]] as const
  ) {
    const [wrong, hint] = await run("verify_vfio.ts", one, other);
    assertEquals(wrong, 3);
    assertStringIncludes(hint, "exclude each other");
  }

  const [found, audited] = await run("audit.ts", "--all");
  assertEquals(found, 0);
  assertMatch(
    audited,
    /\nthe kernel and (\d+) of \1 processes with memory audited; \d+ tasks have /,
  );
  const physical = formatAddress(
    BigInt.asUintN(55, (await lab.pagemap(0))[0]!.raw) << 12n,
  );
  const [some, aliases] = await run("aliases.ts", physical, "--all");
  assertEquals(some, 0);
  assertMatch(
    aliases,
    new RegExp(`^0x00007f1234567000 +4 KiB page +-rw- +pid ${pid} target$`, "m"),
  );
  assertEquals((await run("aliases.ts", physical, "--all", "--pid", "1"))[0], 3);

  const [, listed] = await run("processes.ts", "--user", "--json");
  const target = checkLines("processes.ts", listed).find((process) => process.pid === pid);
  assertEquals([target.comm, target.root, target.userRoot], [
    "target",
    formatAddress(root),
    formatAddress(userRoot),
  ]);
  const [, memory] = await run("maps.ts", "--pid", `${pid}`);
  assertMatch(memory, /^7f1250020000-7f1250024000 +---p +PROT_NONE 16 KiB$/m);
  assertMatch(memory, /^7f1250040000-7f1250044000 +rw-p +swapped 16 KiB$/m);
  assertMatch(memory, /\nSize \d+ KiB, Rss \d+ KiB, Swap 16 KiB, Hugetlb 4 MiB\n$/);
  const [, mapped] = await run("mappings.ts", "--pid", `${pid}`, "--not-present");
  assertMatch(mapped, /^0x0{10}401000-.* ur-x .* \/bin\/target$/m);
  assertMatch(mapped, /^0x00007f1250020000-.* anonymous: not present: PROT_NONE, keeps frame /m);
  assertMatch(mapped, /^0x00007ff.* \[stack\]$/m);
  assertMatch(mapped, /^0xffff.* direct map$/m);
  assertMatch(mapped, /^0xffffffff.* kernel image$/m);
  const log = withoutTabs(await lab.dmesg());
  assertEquals(await run("dmesg.ts"), [0, `${log}\n`]);
  const line = await lab.shell("grep ' init_task$' /proc/kallsyms");
  const [address, type] = line.split(" ");
  assertEquals(await run("symbols.ts", "init_task"), [0, `0x${address} ${type} init_task\n`]);
  const inside = `0x${(BigInt(`0x${address}`) + 16n).toString(16)}`;
  assertStringIncludes((await run("symbols.ts", inside))[1], `${inside} = init_task+0x10`);
  const [, modules] = await run("modules.ts");
  assertMatch(modules, /^0xffffffff[0-9a-f]{8} +\d+ vfio_iommu_type1$/m);
  const [known, driver] = await run("symbols.ts", "vfio_iommu_type1_ioctl");
  assertEquals([known, driver.endsWith(" t vfio_iommu_type1_ioctl [vfio_iommu_type1]\n")], [
    0,
    true,
  ]);
  const [, called] = await run(
    "symbols.ts",
    `0x${(BigInt(driver.split(" ")[0]!) + 3n).toString(16)}`,
  );
  assertStringIncludes(called, " = vfio_iommu_type1_ioctl+0x3 [vfio_iommu_type1]\n");
  assertStringIncludes((await run("symbols.ts", "struct:vfio_dma"))[1], "struct vfio_dma {\n");
  assertMatch((await run("symbols.ts"))[1], / t vfio_iommu_type1_ioctl\t\[vfio_iommu_type1\]\n/);

  await checkLinuxJson(lab);

  const [refused, error] = await run("maps.ts", "--pid", "99999");
  assertEquals(refused, 3);
  assertMatch(error, /^error: The guest has no process 99999; it has .*\n$/);
}
