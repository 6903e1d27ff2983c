import { assertEquals, assertRejects } from "@std/assert";
import {
  ConnectionLostError,
  KernelFormatError,
  NoIommuError,
  pagingContext,
  type PhysicalMemory,
  verifyVfio,
  type VerifyVfioOptions,
  type VfioDmaJudgement,
  type VfioSourceState,
  VfioTally,
} from "../../mod.ts";
import { readIommuDevices } from "../../src/entries/devices.ts";
import type { LinuxGuest, VfioContainer, VfioMapping } from "../../src/entries/linux.ts";
import { IommuTableBuilder, registersFor } from "../../src/testing/mod.ts";
import { ADDRESS, type Living, World } from "./_world.ts";

const DEVICE = "00:03.0";
const PAGES = 4;
const IOVA = 0x10_0000n;

/** A process with four pinned pages, all cleared, that a device reaches as they are. */
class DmaWorld {
  readonly world = new World();
  readonly builder = new IommuTableBuilder("vtd-legacy", this.world.memory, {
    tablesAt: 0x3000_0000n,
  });
  readonly living: Living = this.world.start();
  mapping: VfioMapping = {
    owner: { kind: "self", pid: this.living.process.pid },
    iova: IOVA,
    address: ADDRESS,
    lengthBytes: PAGES * 4096,
    readable: true,
    writable: true,
  };
  tables: readonly bigint[] | null = [this.builder.tablesOf(DEVICE)];
  memory: PhysicalMemory = this.world.memory;
  /** Whether VFIO has pinned anything. */
  isMapped = true;
  /** Why the IOMMU cannot be read. */
  fails: Error | null = null;
  /** How often it was asked. */
  asked = 0;
  /** What became of it. */
  state: VfioSourceState | null = null;

  constructor() {
    for (let i = 0n; i < PAGES; i++) {
      const at = ADDRESS + i * 4096n;
      this.world.map(this.living, at);
      this.world.clear(this.living, at);
      this.builder.map(DEVICE, IOVA + i * 4096n, this.frame(i), 4096);
    }
  }

  frame(page: bigint): bigint {
    return this.living.tables.entry(ADDRESS + page * 4096n, 1) & 0x000f_ffff_ffff_f000n;
  }

  /** What is told of the pages that do not pass, and the verdict. */
  async judge(
    options: VerifyVfioOptions = { sources: [], iommu: true },
  ): Promise<[string, string[]]> {
    const containers = (): VfioContainer[] => [{
      ...{ mappings: [this.mapping], tables: this.tables, domains: [] },
    }];
    const linux: Partial<LinuxGuest> = {
      contextOf: () => pagingContext(registersFor(this.living.tables)),
      processes: () => Promise.resolve([this.living.process]),
      process: () => Promise.resolve(this.living.process),
      vfioContainers: () => Promise.resolve(containers()),
      vfioMappings: () => Promise.resolve(this.isMapped ? [this.mapping] : []),
    };
    const guest = {
      memory: this.memory,
      linux: () => Promise.resolve(linux as LinuxGuest),
      physicalAddressBits: () => Promise.resolve(null),
      iommu: () =>
        Promise.resolve({
          devices: () => {
            this.asked++;
            if (this.fails) return Promise.reject(this.fails);
            return readIommuDevices("vtd", this.world.memory, this.builder.root);
          },
        }),
    };
    const tally = new VfioTally();
    const told: string[] = [];
    for await (const judgement of verifyVfio(guest, options)) {
      tally.add(judgement);
      if (judgement.kind === "source" && judgement.source === "iommu") this.state = judgement;
      const isTold = judgement.kind !== "source" && judgement.verdict !== "pass";
      if (isTold) told.push(textOf(judgement as VfioDmaJudgement));
    }
    return [tally.verdict, told];
  }
}

function textOf({ iova, lengthBytes, reason }: VfioDmaJudgement): string {
  return iova === undefined ? reason : `${(iova - IOVA) / 4096n}+${lengthBytes / 4096}: ${reason}`;
}

Deno.test("the same frames on both sides, all cleared: pass", async () => {
  assertEquals(await new DmaWorld().judge(), ["pass", []]);
});

Deno.test("a frame that was replaced under a live mapping is told with both frames", async () => {
  const dma = new DmaWorld();
  dma.world.map(dma.living, ADDRESS + 0x2000n);
  dma.world.clear(dma.living, ADDRESS + 0x2000n);
  assertEquals(await dma.judge(), ["fail", [
    "2+1: the device reaches frame 0x1002000, the process's address leads to 0x1004000",
  ]]);
});

Deno.test("a page whose bit is set fails, though the frame is the same", async () => {
  const dma = new DmaWorld();
  dma.living.tables.change(ADDRESS + 0x1000n, 1, (raw) => raw | 4n);
  assertEquals(await dma.judge(), ["fail", [
    "1+1: _PAGE_USER is set; the device reaches the same frame 0x1001000",
  ]]);
});

Deno.test("what VFIO lists and the IOMMU does not map fails, and the reverse", async () => {
  const dma = new DmaWorld();
  dma.mapping = { ...dma.mapping, lengthBytes: (PAGES - 1) * 4096 };
  dma.builder.map(DEVICE, 0x4000_0000n, 0x20_0000n, 2 << 20);
  assertEquals(await dma.judge(), ["fail", [
    "3+1: the IOMMU maps it to 0x1003000, and VFIO does not list it",
    "261888+512: the IOMMU maps it to 0x200000, and VFIO does not list it",
  ]]);
  const more = new DmaWorld();
  more.mapping = { ...more.mapping, lengthBytes: (PAGES + 1) * 4096 };
  assertEquals(await more.judge(), ["fail", [
    "4+1: VFIO lists it, but the IOMMU does not map it; the process has no page there",
  ]]);
});

Deno.test("a page that the process has no more fails", async () => {
  const dma = new DmaWorld();
  dma.living.tables.change(ADDRESS, 1, () => 0n);
  assertEquals(await dma.judge(), ["fail", [
    "0+1: the device reaches frame 0x1000000, the process has no page there",
  ]]);
});

Deno.test("tables of no device, or of none that is known: inconclusive, never a pass", async () => {
  const dma = new DmaWorld();
  dma.tables = [0x1234_5000n];
  assertEquals(await dma.judge(), ["inconclusive", [
    "pid 100 vfio_test: no device is translated by the tables of its container",
  ]]);
  dma.tables = null;
  assertEquals(await dma.judge(), ["inconclusive", [
    "pid 100 vfio_test: this kernel does not tell which of the IOMMU's tables its container uses",
  ]]);
});

Deno.test("what changes between the two readings of the IOMMU is inconclusive", async () => {
  const dma = new DmaWorld();
  let reads = 0;
  dma.memory = {
    read(address, lengthBytes, options) {
      // Once the process's tables have been read, another page is mapped for the device.
      if (address >> 12n === dma.living.process.root! >> 12n && reads++ === 0) {
        dma.builder.map(DEVICE, 0x8000_0000n, 0x5000n, 4096);
      }
      return dma.world.memory.read(address, lengthBytes, options);
    },
  };
  const [verdict, told] = await dma.judge();
  assertEquals(verdict, "inconclusive");
  assertEquals(
    new Set(told.map((text) => text.replace(/^\S+ /, ""))),
    new Set(["the guest mapped or unmapped meanwhile: try again, or freeze it"]),
  );
});

Deno.test("a guest without an IOMMU never passes", async () => {
  const world = new World();
  const guest = {
    memory: world.memory,
    linux: () => Promise.resolve({ processes: () => Promise.resolve([]) } as unknown as LinuxGuest),
    physicalAddressBits: () => Promise.resolve(null),
  };
  const tally = new VfioTally();
  for await (const judgement of verifyVfio(guest, { sources: [], iommu: true })) {
    tally.add(judgement);
  }
  assertEquals(tally.verdict, "inconclusive");
});

const PINNED: VerifyVfioOptions = { sources: ["pinned"] };

Deno.test("by default both sides are held together where an IOMMU can be read", async () => {
  const dma = new DmaWorld();
  assertEquals(await dma.judge(PINNED), ["pass", []]);
  assertEquals([dma.state?.state, dma.state?.reason], ["read", ""]);
  dma.world.map(dma.living, ADDRESS + 0x2000n);
  dma.world.clear(dma.living, ADDRESS + 0x2000n);
  assertEquals((await dma.judge(PINNED))[0], "fail");
  assertEquals((await dma.judge({ ...PINNED, iommu: false }))[0], "pass");
  assertEquals(dma.state?.state, "unasked");
});

Deno.test("where no IOMMU can be read, it is said and judged as before; if required, not passed", async () => {
  const none = new NoIommuError("The guest has none");
  const damaged = new KernelFormatError("list of IOMMUs", "it does not end", 0n);
  for (const error of [none, damaged]) {
    const dma = new DmaWorld();
    dma.fails = error;
    assertEquals(await dma.judge(PINNED), ["pass", []]);
    assertEquals([dma.state?.state, dma.state?.reason], ["unavailable", error.message]);
    assertEquals((await dma.judge({ ...PINNED, iommu: true }))[0], "inconclusive");
  }
  const dma = new DmaWorld();
  dma.tables = null;
  assertEquals(await dma.judge(PINNED), ["pass", []]);
  assertEquals(dma.state?.state, "unavailable");
  dma.fails = new ConnectionLostError("gone", { endpoint: "stub" });
  await assertRejects(() => dma.judge(PINNED), ConnectionLostError);
});

Deno.test("a container whose tables no device has is never passed, asked for or not", async () => {
  const dma = new DmaWorld();
  dma.tables = [0x1234_5000n];
  assertEquals((await dma.judge(PINNED))[0], "inconclusive");
});

Deno.test("where nothing is pinned, the IOMMU is not asked", async () => {
  const dma = new DmaWorld();
  dma.isMapped = false;
  await dma.judge(PINNED);
  assertEquals([dma.asked, dma.state?.state], [0, "unasked"]);
});
