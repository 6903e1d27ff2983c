import { assert, assertEquals } from "@std/assert";
import { connect, formatAddress, type Session } from "../../mod.ts";
import { type FrameUse, readFrameReport, readFrameState } from "../../src/entries/devices.ts";
import { type LabGuest, labTest, startLab } from "../lab/mod.ts";
import { frameOf, HUGE_IOVA } from "./_lab.ts";

/** So many pages of the same contents are merged. */
const MERGED = 8;

for (const preset of ["4-level", "linux-6.12"] as const) {
  Deno.test(
    await labTest(`frames are what the guest itself says of them, ${preset}`, preset, async (t) => {
      await using lab = await startLab(preset);
      await using guest = await connect(lab.monitorPort);
      const merged = await mergePages(lab);
      await t.step("what each kind of frame belongs to, by /proc/kpageflags", async () => {
        await checkUses(lab, guest, merged);
      });
      await t.step("who maps a frame, by the pagemaps of all processes", async () => {
        await checkOwners(lab, guest, merged);
      });
      await t.step("which frames are pinned, small and huge ones", () => checkPins(lab, guest));
      await t.step("whose page table a frame is", async () => {
        for (const { entryAddress, level } of await lab.dump(0)) {
          const { state, tables } = await readFrameReport(guest, entryAddress);
          assertEquals(tables.map(({ pid, level }) => [pid, level]), [[lab.target.pid, level]]);
          assertEquals(state.use, "table");
        }
      });
    }),
  );
}

/** Has the kernel merge pages of one process that are alike, and answers their frame. */
async function mergePages(lab: LabGuest): Promise<bigint> {
  const sharing = "cat /sys/kernel/mm/ksm/pages_sharing";
  await lab.shell(
    `frames merge ${MERGED} > /tmp/merge & cd /sys/kernel/mm/ksm; echo 10000 > pages_to_scan; ` +
      "echo 20 > sleep_millisecs; echo 1 > run",
  );
  const deadline = performance.now() + 120_000;
  while (Number(await lab.shell(sharing)) < MERGED - 1) {
    assert(performance.now() < deadline, `${await lab.shell(sharing)} pages are merged`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await lab.shell("echo 0 > /sys/kernel/mm/ksm/run"); // What is merged stays so.
  // MERGE_AT in frames.c, in pages of /proc/PID/pagemap.
  const entry = `dd if=/proc/$(pidof frames)/pagemap bs=8 skip=${0x20000} count=1 2> /dev/null`;
  return frameOf({ raw: BigInt(`0x${(await lab.shell(`${entry} | od -An -v -t x8`)).trim()}`) });
}

/** Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h), and what a frame with one is. */
const USES: readonly (readonly [bit: number, use: FrameUse])[] = [
  [10, "free"], // KPF_BUDDY
  [32, "reserved"], // KPF_RESERVED (kernel only); the zero page too
  [26, "table"], // KPF_PGTABLE
  [7, "slab"], // KPF_SLAB
  [12, "anonymous"], // KPF_ANON
  [5, "file"], // KPF_LRU: neither anonymous nor the kernel's
];

/** What the flags say; null where they say nothing: the kernel's own pages, and those just freed. */
function useOf(flags: bigint): FrameUse | null {
  return USES.find(([bit]) => flags >> BigInt(bit) & 1n)?.[1] ?? null;
}

/** The first frames of each set of flags. */
async function kindsOf(lab: LabGuest): Promise<{ flags: bigint; frame: bigint }[]> {
  const text = await lab.shell("frames kinds 2");
  return [...text.matchAll(/^KIND flags=(0x[0-9a-f]+) pfn=(0x[0-9a-f]+)$/gm)].map(
    ([, flags, pfn]) => ({ flags: BigInt(flags!), frame: BigInt(pfn!) << 12n }),
  );
}

/**
 * The guest goes on meanwhile: what differs is asked about once more. KPF_KSM is left out: 6.12 sets it for all
 * anonymous pages (fs/proc/page.c takes one bit of PAGE_MAPPING_KSM for both).
 */
async function checkUses(lab: LabGuest, guest: Session, merged: bigint): Promise<void> {
  const linux = await guest.linux();
  const seen = new Map<FrameUse, number>();
  const differs = async (kinds: readonly { flags: bigint; frame: bigint }[]) => {
    const differences: string[] = [];
    for (const { flags, frame } of kinds) {
      const { pinned, references, use } = await readFrameState(linux, frame);
      const [told] = await lab.frames(frame, 4096);
      if (told === undefined) continue;
      const isGone = told.references === 0 && useOf(flags) !== "reserved";
      const isMerged = frame === merged;
      const expected = isMerged ? "merged" : isGone ? "free" : useOf(flags) ?? "kernel";
      const [ours, theirs] = [
        [use, references, pinned],
        [expected, told.references, told.pinned],
      ].map(String);
      if (ours === theirs) seen.set(use, (seen.get(use) ?? 0) + 1);
      else differences.push(`${formatAddress(frame)} 0x${flags.toString(16)}: ${ours}, ${theirs}`);
    }
    return differences;
  };
  assertEquals(await differs([{ flags: 1n << 12n, frame: merged }]), []);
  const first = await differs(await kindsOf(lab));
  if (first.length > 0) assertEquals(await differs(await kindsOf(lab)), [], first.join("; "));
  const uses: FrameUse[] = [
    ...["free", "reserved", "table", "slab", "merged", "anonymous", "file", "kernel"] as const,
  ];
  assertEquals(uses.filter((use) => !seen.has(use)), []);
  console.log([...seen].map(([use, count]) => `${count} ${use}`).join(", ") + ": no difference");
}

/** Shared text, merged pages, a huge page, the zero page, a pinned page, and memory of one process. */
async function checkOwners(lab: LabGuest, guest: Session, merged: bigint): Promise<void> {
  const huge = await lab.pagemap(lab.fact("huge").address + 0x5000n);
  const zero = await lab.pagemap(lab.fact("zero").address);
  const shell = await (await guest.linux()).process(1);
  const text = await guest.translate(0x40_1000n, { pid: shell.pid });
  const frames = [
    ...[text!, frameOf(huge[0]!), frameOf(zero[0]!), frameOf((await lab.pagemap(3))[0]!)],
    merged,
  ].map((frame) => frame & ~0xfffn);
  const asked = frames.map((frame) => `0x${(frame >> 12n).toString(16)}`).join(" ");
  const found = async () => {
    const theirs = (await lab.shell(`frames owners ${asked}`)).split("\n")
      .map((line) => /^OWNER pid=(\d+) address=(0x[0-9a-f]+) pfn=(0x[0-9a-f]+)$/.exec(line))
      .map((match) => `${BigInt(match![3]!) << 12n} ${match![1]} ${match![2]}`);
    const ours: string[] = [];
    for (const frame of frames) {
      const { owners, problems } = await readFrameReport(guest, frame);
      assertEquals(problems, []);
      ours.push(...owners.map(({ pid, address }) => `${frame} ${pid} ${formatAddress(address)}`));
    }
    return [ours.sort(), theirs.sort()] as const;
  };
  let [ours, theirs] = await found();
  if (String(ours) !== String(theirs)) [ours, theirs] = await found();
  assertEquals(ours, theirs);
  const count = (frame: bigint) => ours.filter((line) => line.startsWith(`${frame} `)).length;
  const [ofText = 0, ofHuge = 0, ofZero = 0, ofDma = 0, ofMerged = 0] = frames.map(count);
  assert(ofText > 1 && ofZero >= 1, `${ours}`);
  assertEquals([ofHuge, ofDma, ofMerged], [1, 1, MERGED]);
  console.log(`${ours.length} entries of ${frames.length} frames: no difference`);
}

/** Frames that are mapped for DMA and others: pins and references as the kernel says. */
async function checkPins(lab: LabGuest, guest: Session): Promise<void> {
  const linux = await guest.linux();
  const huge = lab.fact("huge");
  const at = frameOf((await lab.pagemap(huge.address + 0x5000n))[0]!);
  const others = [
    ...(await lab.pagemap(lab.fact("readonly").address, 4)).map(frameOf),
    ...(await lab.pagemap(lab.fact("parent").address, 4)).map(frameOf),
    ...Array.from({ length: 12 }, (_, i) => 0x100_0000n + BigInt(i) * 0x10_0000n),
    at,
  ];
  const pinned = (await lab.iovas(0x18, 0n, 1 << 20)).map(({ physicalAddress }) => physicalAddress);
  async function agree(frames: readonly bigint[]): Promise<number> {
    let pins = 0;
    for (const frame of frames) {
      const [told] = await lab.frames(frame, 4096);
      const { pinned, references } = await readFrameState(linux, frame);
      assertEquals([pinned, references], [told!.pinned, told!.references], formatAddress(frame));
      if (pinned) pins++;
    }
    return pins;
  }
  assertEquals(await agree(others), 0);
  for (const frame of pinned) assertEquals((await readFrameState(linux, frame)).pinned, true);
  assertEquals(await agree(pinned.slice(0, 20)), 20);
  const iova = formatAddress(HUGE_IOVA);
  await lab.request(`dma-map ${formatAddress(huge.address)} ${iova} ${huge.lengthBytes}`);
  assertEquals(await agree([at]), 1);
  await lab.request(`dma-unmap ${iova} ${huge.lengthBytes}`);
  assertEquals(await agree([at]), 0);
  console.log(
    `${pinned.length} of ${pinned.length} frames pinned, none of ${others.length} others`,
  );
}
