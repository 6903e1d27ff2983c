import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, NoTablesError } from "../../mod.ts";
import { deviceMappings } from "../../src/entries/devices.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { checkLines } from "../json/_schema.ts";
import { LAB_PRESETS, labTest, startLab } from "../lab/mod.ts";
import {
  checkBothSides,
  checkHugePage,
  compareAll,
  connectSecond,
  SECOND_MONITOR,
} from "./_lab.ts";

Deno.test(
  await labTest(
    "what devices reach is what the kernel says, virtio-iommu",
    "virtio-iommu",
    async (t) => {
      await using lab = await startLab({ ...LAB_PRESETS["virtio-iommu"] }, {
        qemuArguments: SECOND_MONITOR,
      });
      await using guest = await connectSecond(lab);
      await t.step("every page, by Linux's records", async () => {
        const { units: [unit], devices } = await (await guest.iommu()).devices();
        assertEquals([unit!.kind, unit!.registers, unit!.source], ["virtio", null, "linux"]);
        assertEquals(devices.find(({ device }) => device === "00:03.0")?.state, "translated");
        const pages = await compareAll(lab, guest);
        assert(pages >= 256);
        console.log(`virtio-iommu: ${devices.length} devices, ${pages} pages: no difference`);
      });
      await t.step("a huge page, mapped and gone again", () => checkHugePage(lab, guest, null));
      await t.step("no register is read, and none is needed", async () => {
        await using other = await connect(lab.monitorPort, { mmio: false });
        assertEquals((await (await other.iommu()).devices()).devices.length, 2);
      });
      await t.step("there are no tables to walk, and it is said", async () => {
        const walk = await guest.iova("00:03.0", 0x7000n);
        assert(walk.outcome === "noTables");
        assertStringIncludes(walk.why.reason, "QEMU's own");
        const device = await (await guest.iommu()).device("00:03.0");
        const listing = guest.mappings({ start: 0n, lengthBytes: 4096 }, { device: "00:03.0" });
        const error = await Array.fromAsync(listing).catch((error) => error);
        assert(error instanceof NoTablesError, String(error));
        const [run] = await Array.fromAsync(
          deviceMappings(guest.memory, device, { start: 0x7123n, lengthBytes: 1 }),
        );
        const [line] = await lab.iovas(0x18, 0x7000n, 4096);
        assert(run?.kind === "mapping");
        assertEquals([run.address, run.physicalAddress], [line!.iova, line!.physicalAddress]);
      });
      await t.step("the script tells the same", async () => {
        const port = lab.monitorPort;
        const json = await runExample(
          "iommu.ts",
          [`${port}`, "--json", "--iova", "0x0+1M"],
          { permissions: netTo(port) },
        );
        // Neighbours in memory make one run, so that how many there are is chance.
        const runs = checkLines("iommu.ts", json.stdout).filter(({ kind }) => kind === "mapping");
        const bytes = (device: string) =>
          runs.filter((run) => run.device === device)
            .reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
        assertEquals(bytes("00:03.0"), 1 << 20);
        const { code, stdout } = await runExample(
          "iommu.ts",
          [`${port}`, "--device", "03.0"],
          { permissions: netTo(port) },
        );
        assertEquals(code, 0);
        assertStringIncludes(stdout, "0x00000000-0x000fffff     1 MiB  4 KiB -rw-");
      });
      await t.step("the audit takes Linux's records for what they are", async () => {
        const found = await Array.fromAsync(guest.auditDma());
        assertEquals(found, []);
      });
      await t.step("verify_vfio.ts holds both sides together", () => checkBothSides(lab));
    },
  ),
);
