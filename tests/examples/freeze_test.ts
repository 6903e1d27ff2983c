/** `--freeze` of the scripts on a real QEMU: what the guest was, it is again. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect, readStatus } from "../../mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";
import { netTo, runExample } from "./_run.ts";

const PAGE = "0x400000";

/** Each script that takes `--freeze` and no Linux, with its arguments. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  "qemu_verify_pte.ts": [PAGE],
  "qemu_verify_pte_simple.ts": [PAGE],
  "verify_range.ts": [PAGE, "8K"],
  "mappings.ts": ["--range", `${PAGE}+64K`],
  "audit.ts": [],
};

liveTest("--freeze pauses a real guest and leaves it running, or paused", async () => {
  await using qemu = await startBareGuest("4-level", { qmp: true });
  // The scripts have the other monitor to themselves.
  await using watcher = await connect(`qmp:${qemu.qmpPort}`);
  const { monitor } = watcher;
  for (const [name, args] of Object.entries(SCRIPTS)) {
    const run = () =>
      runExample(name, [`${qemu.monitorPort}`, ...args, "--freeze"], {
        permissions: netTo(qemu.monitorPort),
      });
    const whileRunning = await run();
    assertEquals([whileRunning.stderr, (await readStatus(monitor)).running], ["", true], name);
    await monitor.command("stop", { allowUnsafe: ["stop"] });
    const whilePaused = await run();
    assertEquals([whilePaused.stdout, whilePaused.code], [whileRunning.stdout, whileRunning.code]);
    assertStringIncludes(whilePaused.stderr, "note: the guest is paused");
    assertEquals((await readStatus(monitor)).running, false, name);
    await monitor.command("cont", { allowUnsafe: ["cont"] });
  }
});

liveTest("--freeze and --sample exclude each other, and nothing is paused", async () => {
  await using qemu = await startBareGuest("4-level");
  const { code, stderr } = await runExample("qemu_verify_pte.ts", [
    ...[`${qemu.monitorPort}`, PAGE, "--freeze", "--sample", "100"],
  ], { permissions: netTo(qemu.monitorPort) });
  assertEquals(code, 3);
  assertStringIncludes(stderr, "--freeze and --sample exclude each other");
});
