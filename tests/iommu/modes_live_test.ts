import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { groupDevices } from "../../src/entries/devices.ts";
import { LAB_PRESETS, labTest, startLab } from "../lab/mod.ts";
import { QEMU } from "../live.ts";
import { compareAll } from "./_lab.ts";

/** Presets, and the mode of their root table: 0 legacy, 1 scalable. */
const MODES = [
  ["4-level", 0n, "second level"],
  ["scalable", 1n, "second level"],
  ["first-level", 1n, "first level"],
  ["iommu-pt", 0n, "second level"],
] as const;
const MAJOR = parseInt(QEMU?.version ?? "0");

for (const [preset, mode, tables] of MODES) {
  // QEMU has first-level tables from 10.0 on.
  if (preset === "first-level" && MAJOR < 10) continue;
  Deno.test(
    await labTest(`what devices reach is what the kernel says, ${preset}`, preset, async () => {
      // One that a single test takes is not worth saving.
      const isShared = preset === "4-level";
      await using lab = await startLab(isShared ? preset : { ...LAB_PRESETS[preset] });
      await using guest = await connect(lab.monitorPort);
      const { units: [unit], devices } = await (await guest.iommu()).devices();
      assertEquals(unit!.root >> 10n & 3n, mode);
      const own = devices.find(({ device }) => device === "00:03.0");
      assertStringIncludes(own!.regime!.mode, tables);
      const states = new Set(
        devices.filter(({ device }) => device !== "00:03.0").map(({ state }) => state),
      );
      assertEquals([...states], [preset === "iommu-pt" ? "passThrough" : "translated"]);
      const rules = (await Array.fromAsync(guest.auditDma())).filter(({ severity }) =>
        severity !== "low"
      ).map(({ rule, evidence }) => `${rule} ${evidence.devices}`);
      const passing = groupDevices(devices.filter(({ state }) => state === "passThrough"));
      assertEquals(
        rules,
        passing.map((group) => `dma-pass-through ${group.devices.map(({ device }) => device)}`),
      );
      const pages = await compareAll(lab, guest);
      assert(pages >= 256);
      console.log(`${preset}: ${devices.length} devices, ${pages} pages: no difference`);
    }),
  );
}
