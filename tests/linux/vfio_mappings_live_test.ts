import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { connect, formatAddress, PagewalkError } from "../../mod.ts";
import { namedStructs } from "../../src/linux/btf/live_structs.ts";
import { kernelOf } from "../../src/linux/linux_guest.ts";
import type { LinuxGuest } from "../../src/entries/linux.ts";
import { checkLines } from "../json/_schema.ts";
import { count } from "../bench/_count.ts";
import { checked } from "../bench/vfio_bench.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { checkTypeFiles } from "./_type_files.ts";
import { type LabGuest, labTest, startLab } from "../lab/mod.ts";

/** How often mappings are listed while the guest makes and ends others. */
const CHURN_LISTINGS = Number(Deno.env.get("PAGEWALK_VFIO_LISTINGS") ?? 5);

/** A mapping as this test writes it: `IOVA ADDRESS LENGTH`. */
type Line = string;

function line(iova: bigint, address: bigint, lengthBytes: number): Line {
  return [iova, address, BigInt(lengthBytes)].map((value) => `0x${value.toString(16)}`).join(" ");
}

/** What the target says that it mapped at start. */
function toldByTarget(lab: LabGuest): Line {
  const found = lab.dmaLine!.match(/^DMA: IOVA=(\w+), VADDR=(\w+), SIZE=(\w+)/)!;
  return found.slice(1).join(" ");
}

async function mappedBy(linux: LinuxGuest, pid: number): Promise<Line[]> {
  const mappings = await linux.vfioMappings(await linux.process(pid));
  assert(
    mappings.every(({ readable, writable, owner }) =>
      readable && writable && owner.kind === "self" && owner.pid === pid
    ),
  );
  return mappings.map(({ iova, address, lengthBytes }) => line(iova, address!, lengthBytes));
}

Deno.test(
  await labTest("what VFIO has pinned is what the guest mapped", "pti", async (t) => {
    await using lab = await startLab("pti", { ramFile: true });
    const { pid } = lab.target;
    const dma = lab.fact("dma");
    const first = toldByTarget(lab);
    assertEquals(first, line(0n, dma.address, dma.lengthBytes));

    await t.step("--vfio-maps judges it, and devices' memory beside it", () => checkScript(lab));

    await using guest = await connect(lab.monitorPort);
    const linux = await guest.linux();

    await t.step("reading the drivers' types takes some dozens of commands, once", async () => {
      const target = await linux.process(pid);
      const counted = count(guest, true);
      await linux.vfioMappings(target);
      const [commands, bytes] = [counted.commands, counted.replyBytes];
      await linux.vfioMappings(target);
      // The first time all is read that the second time is known.
      const types = commands - (counted.commands - commands);
      console.log(`types: ${types} commands; in all ${commands}, ${bytes} bytes of replies`);
      assert(types <= 60, `${types} commands`);
      assert(bytes < 1_000_000, `${bytes} bytes`);
    });

    await t.step(
      "a struct of the kernel is found by its name without reading all types",
      async () => {
        const { types } = kernelOf(linux);
        const names = ["dmar_domain", "pt_common", "rb_node", "kvm_vcpu", "no_such_struct"];
        const counted = count(guest, true);
        const structs = (await namedStructs(types))!;
        const [first] = await structs.structsNamed(names[0]!);
        console.log(`dmar_domain: ${counted.commands} commands, ${counted.replyBytes} bytes`);
        assert(counted.commands <= 70 && counted.replyBytes < 5_000_000);
        const others = await Promise.all(names.slice(1).map((name) => structs.structsNamed(name)));
        const all = (await types.all())!;
        const ids = await Promise.all(names.map((name) => all.structsNamed(name)));
        assertEquals([first, ...others.map(([id]) => id)], ids.map(([id]) => id));
        assert(first !== undefined && others.at(-1)!.length === 0);
      },
    );

    await t.step("the mapping made at start, and no other process's", async () => {
      assertEquals(await mappedBy(linux, pid), [first]);
      for (const process of await linux.processes()) {
        if (process.root === null || process.pid === pid) continue;
        assertEquals(await linux.vfioMappings(process), []);
      }
      const kthreadd = await linux.process(2);
      const error = await linux.vfioMappings(kthreadd).catch((error: Error) => error);
      assert(error instanceof Error && error.message.includes("thread of the kernel"));
    });

    await t.step("hundreds more, of several lengths, and fewer again", async () => {
      // 300 MiB of addresses, a page or a few of each mebibyte touched and mapped for DMA.
      const start = 0x7f20_0000_0000n;
      const expected = new Map<bigint, Line>([[0n, first]]);
      for (let i = 0; i < 300; i++) {
        const address = start + BigInt(i) * 0x10_0000n;
        // Not in the order of addresses, so that the tree is turned around.
        const iova = 0x4000_0000n + BigInt(i * 37 % 300) * 0x10_0000n;
        const length = 4096 * (1 + i % 3);
        await lab.map(address, length);
        await lab.request(`dma-map 0x${address.toString(16)} 0x${iova.toString(16)} ${length}`);
        expected.set(iova, line(iova, address, length));
      }
      const inOrder = () =>
        [...expected].sort(([a], [b]) => a < b ? -1 : 1).map(([, text]) => text);
      assertEquals(await mappedBy(linux, pid), inOrder());
      for (const iova of [...expected.keys()].filter((_, i) => i % 4 === 1)) {
        const length = Number(expected.get(iova)!.split(" ")[2]);
        await lab.request(`dma-unmap 0x${iova.toString(16)} ${length}`);
        expected.delete(iova);
      }
      assertEquals(await mappedBy(linux, pid), inOrder());
      console.log(`${expected.size} DMA mappings: no difference`);
      for (const [iova, text] of expected) {
        if (iova !== 0n) {
          await lab.request(`dma-unmap 0x${iova.toString(16)} ${text.split(" ")[2]}`);
        }
      }
      assertEquals(await mappedBy(linux, pid), [first]);
    });

    await t.step("while they come and go, what stays is in every list", async () => {
      const address = 0x7f20_0000_0000n;
      const iova = (i: number) => `0x${(0x8000_0000 + i * 4096).toString(16)}`;
      let [lists, refused, last, done] = [0, 0, -1, false];
      const churn = (async () => {
        while (!done) {
          await lab.request(`dma-map 0x${address.toString(16)} ${iova(++last)} 4096`);
          if (last >= 8) await lab.request(`dma-unmap ${iova(last - 8)} 4096`);
        }
      })();
      try {
        while (lists < CHURN_LISTINGS && refused < 10 * CHURN_LISTINGS) {
          const [lowest, ...others] = await mappedBy(linux, pid).catch((error) => {
            // Books that change under every attempt are refused, which is right as well.
            if (error instanceof PagewalkError) return [] as Line[];
            throw error;
          });
          if (lowest === undefined) {
            refused++;
            continue;
          }
          assertEquals(lowest, first);
          for (const text of others) {
            assertMatch(text, new RegExp(`^0x8[0-9a-f]{7} 0x${address.toString(16)} 0x1000$`));
          }
          lists++;
        }
      } finally {
        done = true;
        await churn;
      }
      assertGreater(lists, 0);
      console.log(
        `${lists} lists and ${refused} refusals while ${
          last + 1
        } ranges came and most went: none wrong`,
      );
      const left = Math.min(last + 1, 8);
      assertEquals((await mappedBy(linux, pid)).length, 1 + left);
      await lab.request(`dma-unmap 0x80000000 ${(last + 1) * 4096}`);
    });

    await t.step("nothing once all is unmapped; the same place mapped again", async () => {
      assertEquals(await mappedBy(linux, pid), [first]);
      await lab.request(`dma-unmap 0 ${dma.lengthBytes}`);
      assertEquals(await mappedBy(linux, pid), []);
      await lab.request(`dma-map 0x${dma.address.toString(16)} 0x200000 ${dma.lengthBytes}`);
      assertEquals(await mappedBy(linux, pid), [line(0x20_0000n, dma.address, dma.lengthBytes)]);
    });

    await t.step(
      "memory whose process is gone, and a container that no file is left of",
      async () => {
        const at = formatAddress(lab.fact("zero").address);
        const [ended, became] = [
          await lab.request(`dma-child ${at} 0x40000000 4096 exit`),
          await lab.request(`dma-child ${at} 0x40001000 4096 exec`),
        ].map(([line]) => Number(line!.match(/^CHILD pid=(\d+)$/)![1]));
        const owners = async (of: number) =>
          (await linux.vfioMappings(await linux.process(of)))
            .map(({ iova, owner }) => `${formatAddress(iova)} ${owner.kind} ${owner.pid}`);
        const gone = [`0x40000000 ended ${ended}`, `0x40001000 formerProgram ${became}`];
        assertEquals(await owners(pid), [`0x200000 self ${pid}`, ...gone]);
        assertEquals(await owners(became!), [`0x200000 other ${pid}`, ...gone]);
        await lab.request("dma-close");
        assertEquals(await owners(pid), [`0x200000 self ${pid}`, ...gone]);
      },
    );

    await t.step(
      "a kernel whose types are in a file instead",
      () => checkTypeFiles(lab, linux, { close: () => guest[Symbol.asyncDispose]() }),
    );

    await t.step("a log whose process is gone takes a few commands a page", async () => {
      await lab.shell(`kill -9 ${pid}`);
      await using anew = await connect(lab.monitorPort);
      const { length } = await (await anew.linux()).processes();
      const { commands, results } = await checked(anew, "log");
      console.log(`${results} pages, ${length} processes: ${commands} commands`);
      assertGreater(results, 200);
      assert(commands <= length + 2 * results, `${commands} commands`);
    });
  }),
);

/** The script, as users run it: all pinned memory cleared passes, one page set again fails. */
async function checkScript(lab: LabGuest): Promise<void> {
  const dma = lab.fact("dma");
  const pages = dma.lengthBytes / 4096;
  async function run(...args: string[]): Promise<[number, string]> {
    const { code, stdout, stderr } = await runExample(
      "verify_vfio.ts",
      [`${lab.monitorPort}`, "--vfio-maps", ...args],
      { permissions: netTo(lab.monitorPort) },
    );
    return [code, stdout + stderr];
  }
  const pinned = `${formatAddress(dma.address)}, 1 MiB pinned at IOVA 0x0 ` +
    `(pid ${lab.target.pid} target): `;

  await lab.clear(0, pages);
  // The device's memory is mapped for user code, as the lab leaves it.
  const [withDevice, text] = await run();
  assertStringIncludes(text, `[+] ${pinned}pass: ${pages} of ${pages} pages pass\n`);
  assertMatch(
    text,
    /\n\[-\] 0x[0-9a-f]+, .* of anon_inode:\[vfio-device\] \(pid \d+ target\): fail: /,
  );
  assertMatch(
    text,
    /\n\[-\] Verification FAILED: 256 of 256 pinned pages pass; 0 of (\d+) pages of devices' memory pass, \1 fail; 256 of 256 pages that devices reach pass; not looked at: the log\n$/,
  );
  assertEquals(withDevice, 1);

  const bar = lab.fact("device");
  await lab.clear(bar.address, bar.lengthBytes / 4096);
  const [passed, all] = await run();
  assertMatch(
    all,
    /\n\[\+\] Verification PASSED: 256 of 256 pinned pages pass; (\d+) of \1 pages of devices' memory pass; /,
  );
  assertEquals(passed, 0);

  await lab.restore(7);
  const [failed, why] = await run("--json", "--pid", `${lab.target.pid}`);
  assertEquals(failed, 1);
  const records = checkLines("verify_vfio.ts", why);
  const [range, area, ...others] = records.filter(({ kind }) => kind !== "source");
  assertEquals(
    [range.kind, range.iova, range.verdict, range.range.failed, range.range.firstFailure],
    ["pinned", "0x0", "fail", 1, formatAddress(dma.address + 7n * 4096n)],
  );
  assertEquals([area.kind, area.name, area.verdict], [
    "device",
    "anon_inode:[vfio-device]",
    "pass",
  ]);
  assertEquals(others.at(-1).kind, "summary");
  // What the device reaches: page 7 fails there, too.
  const reached = others.slice(0, -1);
  assertEquals(new Set(reached.map(({ kind }) => kind)), new Set(["dma"]));
  const failing = reached.filter(({ verdict }) => verdict !== "pass");
  assertEquals(failing.map(({ iova, lengthBytes }) => [iova, lengthBytes]), [["0x7000", 4096]]);
}
