import { assert, assertEquals, assertGreater, assertMatch, assertRejects } from "@std/assert";
import {
  LabError,
  type LabFact,
  type LabGuest,
  type LabPresetName,
  labTest,
  type PteDump,
  startLab,
} from "./mod.ts";

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;
const LARGE = 1n << 7n;
const NO_EXECUTE = 1n << 63n;
/** A frame's address within an entry, large pages' PAT bit aside. */
const FRAME = 0x000f_ffff_ffff_f000n;

/** What each guest must be, for the tests that go for all of them. */
const GUESTS: Record<
  "4-level" | "all" | "pae" | "2-level",
  { levels: number; vfio: boolean; hugeBytes: number; extra: string[] }
> = {
  "4-level": { levels: 4, vfio: true, hugeBytes: 2 << 20, extra: ["device"] },
  all: {
    levels: 5,
    vfio: true,
    hugeBytes: 2 << 20,
    extra: ["device", "giant", "wide", "wide-user"],
  },
  pae: { levels: 3, vfio: false, hugeBytes: 2 << 20, extra: [] },
  "2-level": { levels: 2, vfio: false, hugeBytes: 4 << 20, extra: [] },
};

const COMMON_FACTS = [
  "dma",
  "readonly",
  "executable",
  "none",
  "untouched",
  "hole",
  "zero",
  "swapped",
  "parent",
  "huge",
  "huge-cleared",
];

for (const [name, expected] of Object.entries(GUESTS)) {
  const preset = name as LabPresetName;
  Deno.test(
    await labTest(`lab ${preset}: the guest holds what it says it holds`, preset, async (t) => {
      await using guest = await startLab(preset);

      await t.step("it says which process, which buffer and which mappings", () => {
        assertEquals(guest.target.name, "target");
        assertEquals(guest.target.levels, expected.levels);
        assertEquals(
          guest.facts.map((fact) => fact.name).sort(),
          [...COMMON_FACTS, ...expected.extra].sort(),
        );
        assertEquals(guest.fact("huge").pageBytes, expected.hugeBytes);
        assertEquals(guest.targetLines.filter((line) => line.startsWith("WARNING")), []);
        assertEquals(
          guest.dmaLine,
          expected.vfio ? "DMA: IOVA=0x0, VADDR=0x7f1234567000, SIZE=0x100000" : undefined,
        );
      });
      for (const fact of guest.facts) {
        await t.step(`${fact.name}: ${fact.state}, _PAGE_USER ${fact.user}`, async () => {
          await checkFact(guest, fact);
        });
      }
      await t.step("the kernel's log has the two lines of each cleared page", async () => {
        await checkLog(guest);
      });
      await t.step("touching, clearing and restoring a page", async () => {
        await checkTouch(guest);
      });
    }),
  );
}

/** Compares the entries of a mapping's first and last page, as the kernel sees them, with the fact. */
async function checkFact(guest: LabGuest, fact: LabFact): Promise<void> {
  const last = fact.address + BigInt(fact.lengthBytes - fact.pageBytes);
  const [first, end] = [await guest.dump(fact.address), await guest.dump(last)];
  assertEquals(first[0]?.level, guest.target.levels);
  const leaf = first.at(-1)!;
  const userBits = (dump: PteDump[]) => dump.map((entry) => (entry.raw & USER) !== 0n);
  const present = (leaf.raw & PRESENT) !== 0n;

  assertEquals(present, fact.state === "present");
  if (fact.state === "absent") assertEquals(leaf.raw, 0n);
  if (fact.state === "unmapped") assertGreater(leaf.level, 1);
  if (fact.state === "swapped") assert(leaf.raw !== 0n && leaf.level === 1);
  if (fact.state === "protnone") assertEquals(leaf.raw & (1n << 8n), 1n << 8n);
  if (!present) return;

  assertEquals(leaf.level > 1, (leaf.raw & LARGE) !== 0n && fact.pageBytes > 4096);
  const readOnly = fact.protection === "r" || fact.protection === "rx" || fact.name === "zero";
  assertEquals((leaf.raw & WRITE) === 0n, readOnly);
  if (guest.target.levels >= 4) {
    assertEquals((leaf.raw & NO_EXECUTE) === 0n, fact.protection.includes("x"));
  }
  assertEquals(userBits(first).pop(), fact.user === "set" || fact.user === "parent");
  assertEquals(userBits(end).pop(), fact.user !== "cleared");
  // Above a large page there may be no entry, or PAE's top one, which has no such bit.
  if (leaf.level === 1) assertEquals(userBits(first).at(-2), fact.user !== "parent");
  await checkPagemap(guest, fact, leaf);
}

/** The frame that /proc/self/pagemap tells is the one in the entry. */
async function checkPagemap(guest: LabGuest, fact: LabFact, leaf: PteDump): Promise<void> {
  const [entry] = await guest.pagemap(fact.address);
  const frameNumber = entry!.raw & ((1n << 55n) - 1n);
  // Linux tells no frame for a device's memory, which has no struct page.
  if (fact.name === "device") return assertEquals(frameNumber, 0n);
  assertEquals(frameNumber << 12n, leaf.raw & FRAME & ~BigInt(fact.pageBytes - 1));
}

async function checkLog(guest: LabGuest): Promise<void> {
  const log = await guest.dmesg();
  const dma = guest.fact("dma").address;
  const pattern =
    /VFIO: Clearing _PAGE_USER at vaddr (0x[0-9a-f]+), old PTE: (0x[0-9a-f]+)\n.*VFIO: Successfully cleared _PAGE_USER at vaddr (0x[0-9a-f]+), new PTE: (0x[0-9a-f]+)$/gm;
  const pages = [...log.matchAll(pattern)].map(([, address, before, after_address, after]) => {
    assertEquals(address, after_address);
    assertEquals(BigInt(before!) & ~USER, BigInt(after!));
    assertEquals(BigInt(before!) & USER, USER);
    return BigInt(address!);
  });
  const inBuffer = pages.filter((page) => page >= dma && page < dma + 0x100000n);
  assertEquals(inBuffer, Array.from({ length: 240 }, (_, page) => dma + BigInt(page) * 4096n));
}

async function checkTouch(guest: LabGuest): Promise<void> {
  const read = await guest.touch("read", 3);
  assertEquals([read.result, read.signal, read.code], ["signal", 11, 2]);
  const write = await guest.touch("write", 3);
  assertEquals(write.result, "endless");
  assertGreater(write.faults, 100);
  assertEquals((await guest.touch("write", 250)).result, "done");

  const userOf = async () => (await guest.dump(250)).at(-1)!.raw & USER;
  await guest.clear(250);
  assertEquals(await userOf(), 0n);
  assertEquals((await guest.touch("read", 250)).result, "signal");
  await guest.restore(250);
  assertEquals(await userOf(), USER);
  assertEquals((await guest.touch("read", 250)).result, "done");
}

Deno.test(
  await labTest("lab: requests that change the target, and ones that fail", "pti", async (t) => {
    await using guest = await startLab("pti", { ramFile: true });
    const address = 0x7f1270000000n;

    await t.step("page-table isolation: the user's root is the next page", () => {
      assertEquals(guest.target.userRoot, guest.target.root + 0x1000n);
    });
    await t.step("map, protect and unmap", async () => {
      await guest.map(address, 8192, "rw");
      assertEquals((await guest.dump(address)).at(-1)!.raw & (PRESENT | WRITE), PRESENT | WRITE);
      await guest.protect(address, 8192, "r");
      assertEquals((await guest.dump(address)).at(-1)!.raw & (PRESENT | WRITE), PRESENT);
      await guest.unmap(address, 8192);
      assertEquals((await guest.dump(address)).at(-1)!.raw & PRESENT, 0n);
    });
    await t.step("DMA mappings come and go; the bit stays cleared", async () => {
      await guest.request("dma-unmap 0 0x100000");
      await guest.request(`dma-map 0 0 0x100000`);
      assertEquals((await guest.dump(0)).at(-1)!.raw & USER, 0n);
      assertMatch((await guest.request("copy 0")).join(), /result=16-bytes$/);
    });
    await t.step("busy: the target uses the processor", async () => {
      const ticks = async () =>
        Number((await guest.shell(`cut -d' ' -f14 /proc/${guest.target.pid}/stat`)).trim());
      await guest.busy("on");
      const before = await ticks();
      await guest.shell("sleep 3");
      assertGreater(await ticks(), before);
      await guest.busy("off");
    });
    await t.step("other processes are known by root, and their tables can be dumped", async () => {
      const processes = await guest.processes();
      const ticker = processes.find((process) => process.name === "ticker")!;
      assertEquals(processes.find((process) => process.pid === guest.target.pid), guest.target);
      assertEquals(new Set(processes.map((process) => process.root)).size, processes.length);
      assertEquals(await guest.process(ticker.pid), ticker);
      const dump = await guest.dumpProcess(ticker.pid, 0x400000n);
      assertEquals(dump[0]!.entryAddress, ticker.root);
    });
    await t.step("the RAM file holds the entry where the kernel says it is", async () => {
      const leaf = (await guest.dump(240)).at(-1)!;
      using file = await Deno.open(guest.ramFile!);
      await file.seek(leaf.entryAddress, Deno.SeekMode.Start);
      const bytes = new Uint8Array(8);
      assertEquals(await file.read(bytes), 8);
      assertEquals(new DataView(bytes.buffer).getBigUint64(0, true), leaf.raw);
    });
    await t.step("what cannot be done is an error", async () => {
      await assertRejects(() => guest.request("fly"), LabError, "unknown request fly");
      await assertRejects(() => guest.clear(0x7f1300000000n), LabError, "errno 2");
      await assertRejects(() => guest.process(2), LabError, "no process 2 with memory");
    });
    await t.step("a target that ended is told", async () => {
      await assertRejects(() => guest.request("exit"), LabError, "EXITED status=0");
    });
  }),
);

Deno.test("lab: a missing tool is named with its package and the command to run", async () => {
  const path = await Deno.makeTempDir();
  const shell = await Deno.realPath("/bin/sh");
  await Deno.symlink(shell, `${path}/sh`);
  const main = new URL("./main.ts", import.meta.url).pathname;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, "--debug-port", "24890"],
    env: { PATH: path },
  }).output();
  await Deno.remove(path, { recursive: true });

  assertEquals(output.code, 3);
  assertMatch(
    new TextDecoder().decode(output.stderr),
    /error: the lab needs qemu-system-x86_64.* run: apt-get install qemu-system-x86/,
  );
});

Deno.test("lab: launch.sh puts the monitor 100 above the debug port", async () => {
  const script = new URL("./launch.sh", import.meta.url).pathname;
  const run = async (...args: string[]) => {
    const output = await new Deno.Command(script, { args, env: { QEMU: "echo" } }).output();
    return { code: output.code, text: new TextDecoder().decode(output.stdout).trim() };
  };

  assertEquals(await run("-m", "1G"), {
    code: 0,
    text: "-gdb tcp:127.0.0.1:1234 -monitor tcp:127.0.0.1:1334,server=on,wait=off -m 1G",
  });
  assertEquals(
    (await run("--debug-port", "24900", "--", "-S")).text,
    "-gdb tcp:127.0.0.1:24900 -monitor tcp:127.0.0.1:25000,server=on,wait=off -S",
  );
  assertEquals((await run("--debug-port=x")).code, 3);
});
