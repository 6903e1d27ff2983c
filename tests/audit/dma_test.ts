/** Every rule of auditDmaReach(), hit and not hit, on runs made by hand. */
import { assertEquals } from "@std/assert";
import {
  auditDmaReach,
  type DmaReach,
  type DmaRun,
  type GuardedMemory,
} from "../../src/entries/devices.ts";

const TEXT: GuardedMemory = {
  rule: "dma-writes-kernel-text",
  start: 0x200_0000n,
  lengthBytes: 0x10_0000,
  what: "the kernel's text",
};
const CODE: GuardedMemory = {
  rule: "dma-writes-kernel-code",
  start: 0x500_0000n,
  lengthBytes: 0x2000,
  what: "code of the kernel",
};

function table(start: bigint): GuardedMemory {
  const what = "the page tables of pid 7 cat (PT)";
  return { rule: "dma-writes-page-table", start, lengthBytes: 4096, what };
}

function run(
  iova: bigint,
  physicalAddress: bigint,
  pages = 1,
  change: Partial<DmaRun> = {},
): DmaRun {
  return { iova, physicalAddress, lengthBytes: pages * 4096, read: true, write: true, ...change };
}

function reach(device: string, runs: readonly DmaRun[], change: Partial<DmaReach> = {}): DmaReach {
  return {
    devices: [device],
    passesThrough: false,
    isVfio: false,
    isIsaBridge: false,
    runs,
    ...change,
  };
}

function found(reaches: readonly DmaReach[], guarded: readonly GuardedMemory[] = []): string[] {
  return [...auditDmaReach(reaches, guarded)].map(({ rule, severity, address, lengthBytes }) =>
    `${severity} ${rule} 0x${address.toString(16)}+0x${lengthBytes.toString(16)}`
  );
}

Deno.test("a device that can write guarded memory is found, at the part that it can write", () => {
  const guarded = [table(0x30_0000n), CODE, TEXT, table(0x400_1000n), table(0x400_2000n)];
  const runs = [
    run(0x1000n, 0x1f_f000n, 2), // the page before the table and nothing else
    run(0x10_0000n, 0x20f_f000n, 4), // the last page of the text, and three behind it
    run(0x20_0000n, 0x500_1000n, 8), // the second page of the code
    run(0x30_0000n, 0x400_0000n, 16), // two tables
    run(0x40_0000n, 0x30_0000n, 1, { write: false }), // a table, but it may only be read
  ];
  assertEquals(found([reach("00:03.0", runs)], guarded), [
    "high dma-writes-kernel-text 0x100000+0x1000",
    "high dma-writes-kernel-code 0x200000+0x1000",
    "high dma-writes-page-table 0x301000+0x2000",
  ]);
  assertEquals(found([reach("00:03.0", runs.slice(0, 1))], guarded), []);
  const [first] = [...auditDmaReach([reach("00:03.0", runs)], guarded)];
  assertEquals(first!.message, "00:03.0 can write the kernel's text");
  assertEquals(first!.evidence.physicalAddress, 0x20f_f000n);
});

Deno.test("Linux's identity mapping for floppy drives is told as that, and nothing else is", () => {
  const all = run(0n, 0n, 4096);
  const bridge = { isIsaBridge: true };
  const guarded = [table(0x30_0000n)];
  assertEquals(found([reach("00:1f.0", [all], bridge)], guarded), [
    "low dma-writes-page-table 0x300000+0x1000",
  ]);
  assertEquals(found([reach("00:03.0", [all])], guarded), [
    "high dma-writes-page-table 0x300000+0x1000",
  ]);
  assertEquals(found([reach("00:1f.0", [run(0x1000n, 0x30_0000n)], bridge)], guarded), [
    "high dma-writes-page-table 0x1000+0x1000",
  ]);
});

Deno.test("a device that passes through is found, whatever is guarded", () => {
  assertEquals(found([reach("00:02.0", [], { passesThrough: true })], [TEXT]), [
    "medium dma-pass-through 0x0+0x0",
  ]);
});

Deno.test("frames of two domains are found once, joined, and only where both reach them", () => {
  const one = reach("00:03.0", [run(0n, 0x10_0000n, 4), run(0x8000n, 0x10_4000n, 4)], {
    isVfio: true,
  });
  const other = reach("00:04.0", [run(0x10_0000n, 0x10_2000n, 16)]);
  assertEquals(found([one, other]), ["medium dma-shared-frame 0x2000+0x6000"]);
  const readers = [one, other].map((each) => ({
    ...each,
    runs: each.runs.map((each) => ({ ...each, write: false })),
  }));
  assertEquals(found(readers), ["low dma-shared-frame 0x2000+0x6000"]);
  assertEquals(found([one, { ...other, isVfio: true }]), ["low dma-shared-frame 0x2000+0x6000"]);
  // One domain that maps a frame twice is one domain.
  assertEquals(found([reach("00:03.0", [run(0n, 0x1000n), run(0x1000n, 0x1000n)])]), []);
  assertEquals(found([one, reach("00:04.0", [run(0n, 0x10_8000n)])]), []);
});
