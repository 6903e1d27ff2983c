import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { AddressSpace, formatAddress } from "../../mod.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { labTest, startLab } from "../lab/mod.ts";
import { connectSecond, SECOND_MONITOR } from "./_lab.ts";

/**
 * As it is, nothing but what Linux maps for floppy drives; then memory of a process that is gone; then an entry
 * of the device's tables that the host turns to the kernel's text, to other code of it, to a page table of the
 * process, and to a frame of another device's domain.
 */
Deno.test(
  await labTest(
    "an audit finds what devices can write, and nothing without cause",
    "4-level",
    async () => {
      await using lab = await startLab("4-level", { ramFile: true, qemuArguments: SECOND_MONITOR });
      await using guest = await connectSecond(lab);
      const before = await Array.fromAsync(guest.auditDma());
      assertEquals(before.filter(({ severity }) => severity !== "low"), []);
      for (const { rule, evidence, message } of before) {
        const isShared = rule === "dma-shared-frame" && evidence.devices!.length > 1;
        assert(isShared || message.includes("for floppy drives"), message);
      }
      const at = formatAddress(lab.fact("zero").address);
      const [line] = await lab.request(`dma-child ${at} 0x40000000 4096 exit`);
      const [, child] = line!.match(/^CHILD pid=(\d+)$/)!;
      const linux = await guest.linux();
      const space = new AddressSpace(guest.memory, linux.context);
      const frameAt = async (address: bigint) => (await space.translate(address))! & ~0xfffn;
      const entry = (await guest.iova("00:03.0", 0x7000n)).steps.at(-1)!;
      const text = await frameAt(linux.text);
      const module = BigInt(
        `0x${(await lab.shell("cat /proc/modules")).match(/0x([0-9a-f]+)/)![1]}`,
      );
      const code = await frameAt(module);
      const table = (await lab.dump(0)).at(-1)!.entryAddress & ~0xfffn;

      using ram = await Deno.open(lab.ramFile!, { write: true });
      async function write(raw: bigint): Promise<void> {
        const bytes = new Uint8Array(new BigUint64Array([raw]).buffer);
        await ram.seek(entry.address, Deno.SeekMode.Start);
        assertEquals(await ram.write(bytes), 8);
      }
      async function found(): Promise<string[]> {
        const all = await Array.fromAsync(guest.auditDma());
        return all.filter(({ severity }) => severity !== "low").map((
          { rule, address, lengthBytes },
        ) => `${rule} ${formatAddress(address)} ${lengthBytes}`);
      }
      const gone = "dma-owner-gone 0x40000000 4096";
      try {
        await write(text | 3n);
        assertEquals(await found(), ["dma-writes-kernel-text 0x7000 4096", gone]);
        await write(code | 3n);
        assertEquals(await found(), ["dma-writes-kernel-code 0x7000 4096", gone]);
        await write(0x8000n | 3n); // The ISA bridge's domain has all of the first 16 MiB.
        assertEquals(
          (await found()).filter((line) => line.startsWith("dma-shared-frame")),
          ["dma-shared-frame 0x8000 4096"],
        );
        await write(table | 3n);
        assertEquals(await found(), ["dma-writes-page-table 0x7000 4096", gone]);
        const { code: exit, stdout } = await runExample(
          "audit.ts",
          [`${lab.monitorPort}`, "--dma", "--show", "medium"],
          { permissions: netTo(lab.monitorPort) },
        );
        assertEquals(exit, 1);
        const whose = `the page tables of pid ${lab.target.pid} target (PT)`;
        assertStringIncludes(stdout, `00:03.0 can write ${whose}`);
        assertStringIncludes(stdout, `00:03.0 reaches memory of pid ${child}, which is gone`);
        await write(table | 1n); // It may only read.
        assertEquals(await found(), [gone]);
      } finally {
        await write(entry.raw);
      }
      await lab.request("dma-unmap 0x40000000 4096");
      assertEquals(await found(), []);
    },
  ),
);
