import { assert, assertEquals } from "@std/assert";
import { connect, isBacked, MonitorMemory } from "../../mod.ts";
import { labTest, startLab } from "../lab/mod.ts";
import { CountingProxy } from "./_counting_proxy.ts";
import {
  checkBothSides,
  checkHugePage,
  compareAll,
  connectSecond,
  pagesOf,
  SECOND_MONITOR,
} from "./_lab.ts";

Deno.test(
  await labTest("what devices reach is what the kernel says, AMD-Vi", "amd", async (t) => {
    await using lab = await startLab("amd", { qemuArguments: SECOND_MONITOR });
    await using proxy = new CountingProxy(lab.monitorPort);
    await using guest = await connectSecond(lab);
    await t.step("every page of every domain; one register is read", async () => {
      const registers = async () => await guest.monitor.command("xp /128wx 0xfed80000");
      const before = await registers();
      await using counted = await connect(proxy.port);
      const { units: [unit], devices } = await (await counted.iommu()).devices();
      assertEquals([unit!.kind, unit!.source], ["amdvi", "register"]);
      const pages = await compareAll(lab, counted);
      assert(pages >= 256);
      assertEquals(await registers(), before);
      assert(guest.memory instanceof MonitorMemory);
      const ranges = await guest.memory.ranges();
      const outside = proxy.reads.filter(({ address, lengthBytes }) =>
        !isBacked(ranges, address, lengthBytes)
      );
      assertEquals([...new Set(outside.map(({ command }) => command))], ["xp /2wx 0xfed80000"]);
      console.log(`AMD-Vi: ${devices.length} devices, ${pages} pages: no difference`);
    });
    await t.step("the same by Linux's records", async () => {
      const from = proxy.commands.length;
      await using counted = await connect(proxy.port, { mmio: false });
      const device = await (await counted.iommu()).device("00:03.0");
      assertEquals((await pagesOf(counted, device)).size, 256);
      assertEquals(proxy.commands.slice(from).filter((line) => line.includes("0xfed8")), []);
    });
    await t.step("a huge page, mapped and gone again", () => checkHugePage(lab, guest, 2 << 20));
    await t.step("verify_vfio.ts holds both sides together", () => checkBothSides(lab));
  }),
);
