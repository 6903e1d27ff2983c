import { assert, assertEquals, assertGreater } from "@std/assert";
import type { LabGuest } from "./mod.ts";
import { labTest, startLab } from "./mod.ts";

/** What a guest says of itself that a resumed one must say too. */
async function told(guest: LabGuest) {
  const entries = [];
  for (const { address } of guest.facts) entries.push(await guest.dump(address));
  const processes = await guest.processes();
  return {
    ...{ facts: guest.facts, target: guest.target, dma: guest.dmaLine, entries },
    roots: processes.map(({ pid, root }) => [pid, root]),
    iovas: await guest.iovas(0x18, 0n, 0x3000),
  };
}

Deno.test(
  await labTest("a resumed lab guest is the one that was booted", "pti", async () => {
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-snapshots-" });
    const before = Deno.env.get("PAGEWALK_LAB_SNAPSHOTS");
    // A run of all tests has a folder where there is such a guest already.
    if (!before) Deno.env.set("PAGEWALK_LAB_SNAPSHOTS", folder);
    try {
      await using first = await startLab("pti");
      await using second = await startLab("pti", { ramFile: true });
      assert(first.qemuPid !== second.qemuPid);
      assertEquals(await told(second), await told(first));
      // It runs: time goes on, the target and its processor do as they are told, and so does the swap.
      const uptime = async () => Number((await second.shell("cat /proc/uptime")).split(" ")[0]);
      const start = await uptime();
      await second.shell("sleep 1");
      assertGreater(await uptime(), start + 0.9);
      await second.restore(0);
      assertEquals((await second.touch("read", 0)).result, "done");
      assertEquals((await first.touch("read", 0)).result, "signal");
      const { address } = second.fact("swapped");
      assertEquals((await second.touch("read", address)).result, "done");
      assertEquals(await second.shell("nproc"), "2");
    } finally {
      if (!before) Deno.env.delete("PAGEWALK_LAB_SNAPSHOTS");
      await Deno.remove(folder, { recursive: true });
    }
  }),
);
