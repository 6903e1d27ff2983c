import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { PagewalkError } from "../../src/core/errors.ts";
import { Btf } from "../../src/linux/btf/btf.ts";
import { BtfBlob } from "../../src/linux/btf/btf_source.ts";
import {
  CapabilityError,
  InconsistentListError,
  KernelFormatError,
} from "../../src/linux/errors.ts";
import { readModuleBtfs, readModuleTypes } from "../../src/linux/module_types.ts";
import { readOpenFiles } from "../../src/linux/open_files.ts";
import { readRbTree } from "../../src/linux/rb_tree.ts";
import { structOffsets } from "../../src/linux/struct_offsets.ts";
import { readDmaRanges } from "../../src/linux/vfio_container.ts";
import { VfioMappings } from "../../src/linux/vfio_mappings.ts";
import { BASE, btfHeader, garbage, POINTERS, tangled, TYPE_WORDS, type Word } from "./_hostile.ts";
import { btfBytes, CORE, TYPE1 } from "./_btf_bytes.ts";
import { FakeKernel, type FakeRange } from "./_vfio_kernel.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

const LONGEST_MS = 30_000;

/** Garbage may be answered or refused with one of our errors, in time. */
async function endsWell(decode: () => unknown): Promise<void> {
  const started = cpuTimeMs();
  try {
    await decode();
  } catch (error) {
    assertInstanceOf(error, PagewalkError, `${error}`);
    assert(!error.message.includes("\n"), error.message);
  }
  assertLess(cpuTimeMs() - started, LONGEST_MS);
}

function rangesOf(count: number): FakeRange[] {
  return Array.from({ length: count }, (_, i) => ({
    iova: BigInt(i) << 21n,
    vaddr: 0x7f00_0000_0000n + BigInt(count - i) * 0x10_0000n,
    size: 4096n * BigInt(1 + i % 7),
  }));
}

function mappingsOf(kernel: FakeKernel) {
  return new VfioMappings(kernel).of(kernel.owner);
}

Deno.test("split BTF goes on where its base ends, in numbers and in strings", async () => {
  const core = new BtfBlob(btfBytes(CORE));
  const module = new BtfBlob(btfBytes(TYPE1, core), core);
  assertEquals(core.count, 7);
  assertEquals(module.count, core.count + 2);
  assertEquals(await module.idsOf("vfio_dma"), [core.count + 1]);
  assertEquals(await module.idsOf("list_head"), []);
  const btf = new Btf(module);
  assertEquals(await btf.nameOf(core.count), "vfio_iommu");
  const [list] = await core.idsOf("list_head");
  assertEquals(await btf.nameOf(list!), "list_head");
  const layout = await btf.layout(core.count + 1);
  assertEquals(layout?.members.at(0), { name: "node", type: "struct rb_node", offset: 8 });
  await assertRejects(() => module.type(module.count), KernelFormatError, "no type 9");
  await assertRejects(() => module.string(module.stringsEnd), KernelFormatError, "no string");
  assertEquals(
    await structOffsets([core, module], "vfio_iommu", ["dma_list", "other"]),
    new Map([["vfio_iommu.dma_list", 40]]),
  );
  assertEquals(await structOffsets([core], "vfio_iommu", ["dma_list"]), null);
});

Deno.test("mappings are found from a process's files, by IOVA", async () => {
  for (const count of [0, 1, 2, 3, 10, 257]) {
    const ranges = rangesOf(count);
    const found = await mappingsOf(new FakeKernel({ ranges }));
    assertEquals(
      found,
      ranges.map(({ iova, vaddr, size }) => ({
        iova,
        address: vaddr,
        lengthBytes: Number(size),
        readable: true,
        writable: true,
        owner: { kind: "self", pid: 84 } as const,
      })),
    );
  }
});

Deno.test("mappings that lie together are read together, a depth of the tree at a time", async () => {
  const kernel = new FakeKernel({ ranges: rangesOf(2000) });
  assertEquals((await mappingsOf(kernel)).length, 2000);
  assertLess(kernel.reads, 0.5 * 2000);
});

Deno.test("a container that is held by a group or a device alone is found", async () => {
  const ranges = rangesOf(3);
  for (const holds of ["group", "device"] as const) {
    assertEquals((await mappingsOf(new FakeKernel({ ranges, holds }))).length, 3, holds);
  }
  // It belongs to iommufd, and to no container.
  assertEquals(await mappingsOf(new FakeKernel({ ranges, holds: "device by number" })), []);
});

Deno.test("a container that a thread holds alone, in files of its own, is found", async () => {
  const kernel = new FakeKernel({ ranges: rangesOf(3), byThread: true });
  const found = await mappingsOf(kernel);
  assertEquals(found.map(({ owner }) => owner), Array(3).fill({ kind: "self", pid: 84 }));
});

Deno.test("memory of another process, of one that has ended, and of a former program is told apart", async () => {
  const OTHER_MM = BASE + 0x9_0000n;
  const [a, b, c, d] = rangesOf(4) as [FakeRange, FakeRange, FakeRange, FakeRange];
  const ranges = [
    { ...a, mm: OTHER_MM },
    { ...b, mm: OTHER_MM, by: { pid: 70, mm: OTHER_MM } },
    { ...c, mm: OTHER_MM, by: { pid: 71, mm: 0n, exitState: 16 } },
    { ...d, mm: OTHER_MM, by: { pid: 72, mm: BASE } },
  ];
  const found = await mappingsOf(new FakeKernel({ ranges }));
  assertEquals(found.map(({ owner }) => `${owner.kind} ${owner.pid}`), [
    "formerProgram 84",
    "other 70",
    "ended 71",
    "formerProgram 72",
  ]);
});

Deno.test("rights, what is changing owner, being pinned, and what another process mapped", async () => {
  const [a, b, c, d, e] = rangesOf(5) as [FakeRange, FakeRange, FakeRange, FakeRange, FakeRange];
  const ranges = [
    { ...a, prot: 1 },
    { ...b, prot: 2 },
    { ...c, vaddrInvalid: true },
    { ...d, size: 0n },
    { ...e, mm: BASE },
  ];
  const found = await mappingsOf(new FakeKernel({ ranges }));
  assertEquals(found.map(({ readable, writable }) => [readable, writable]), [
    [true, false],
    [false, true],
    [true, true],
    [true, true],
  ]);
  assertEquals(found.map(({ address }) => address), [a.vaddr, b.vaddr, null, e.vaddr]);
});

Deno.test("other files of the same driver, and of others, are no containers", async () => {
  const ranges = rangesOf(2);
  for (const device of [[10, 195], [240, 196], [0, 0]] as const) {
    assertEquals(await mappingsOf(new FakeKernel({ ranges, device })), []);
  }
  assertEquals(await mappingsOf(new FakeKernel({ ranges, module: "fuse" })), []);
});

Deno.test("a process without a container takes no types", async () => {
  const kernel = new FakeKernel({ module: "fuse", hasModuleTypes: false });
  const read = () => Promise.reject(new Error("types were read"));
  kernel.types = { all: read, base: read, strings: read, given: [] };
  assertEquals(await mappingsOf(kernel), []);
});

Deno.test("what cannot be known is named, with why", async () => {
  async function refused(kernel: FakeKernel, text: string, missing = "vfio"): Promise<void> {
    const error = await assertRejects(() => mappingsOf(kernel), CapabilityError, text);
    assertEquals(error.capability, missing);
  }
  const ranges = rangesOf(1);
  await refused(new FakeKernel({ ranges, driver: "vfio-other" }), 'the driver "vfio-other"');
  await refused(
    new FakeKernel({ ranges, hasModuleTypes: false }),
    "no struct vfio_container): they are kept from 5.11 on, with CONFIG_DEBUG_INFO_BTF_MODULES",
    "types",
  );
  const untyped = new FakeKernel({ ranges });
  const none = () => Promise.resolve(null);
  untyped.types = {
    all: none,
    base: none,
    strings: () => Promise.reject(new Error("there are none")),
    given: [],
  };
  await refused(untyped, "no struct vfio_container", "types");
  await assertRejects(
    () => mappingsOf(new FakeKernel({ ranges, typesOff: 1 })),
    KernelFormatError,
    "it does not continue the kernel's",
  );
});

Deno.test("a tree that never holds still is refused, one that does in the end is read", async () => {
  const ranges = rangesOf(3);
  const churning = new FakeKernel({ ranges });
  let clock = 0n;
  // The last range is mapped anew, elsewhere, again and again.
  churning.beforeRead = () => churning.write(churning.nodes[2]! + 32n, ++clock << 12n);
  await assertRejects(() => mappingsOf(churning), InconsistentListError, "frozen");

  const settling = new FakeKernel({ ranges });
  const [, root] = settling.nodes;
  const right = settling.nodes[2]!;
  settling.beforeRead = () => {
    // A rotation is half done for a while.
    settling.write(right, settling.reads < 60 ? BASE : root!);
  };
  assertEquals((await mappingsOf(settling)).length, 3);
  assert(settling.reads > 60);
});

Deno.test("a range that is freed while it is read leaves no garbage", async () => {
  const counting = new FakeKernel({ ranges: rangesOf(3) });
  await mappingsOf(counting);
  const [, root, last] = counting.nodes.map((node) => node - counting.nodes[0]!);
  // The reads of the tree are the root's pointer and three nodes, twice, and the file's slot follows.
  for (let before = 1; before <= 9; before++) {
    const kernel = new FakeKernel({ ranges: rangesOf(3) });
    const at = (node: bigint) => kernel.nodes[0]! + node;
    kernel.beforeRead = () => {
      if (kernel.reads !== counting.reads - before) return;
      // Unmapped: off the tree, and the allocator's link is where its rights were.
      kernel.write(at(root!) + 8n, 0n);
      kernel.write(at(last!) + 48n, 0xa5c1_9b30_7e55_d2ecn);
    };
    const found = await mappingsOf(kernel);
    assert(found.length === 2 || found.length === 3);
    for (const { address, readable, writable } of found) {
      assertEquals([address !== null, readable, writable], [true, true, true], `${before}`);
    }
  }
  assert(counting.reads > 9);
});

Deno.test("a container that is closed while it is read counts no more", async () => {
  const kernel = new FakeKernel({ ranges: rangesOf(3) });
  kernel.beforeRead = () => {
    // Both descriptors of it are closed in the midst of reading.
    if (kernel.reads === 25) { for (const at of [0n, 16n]) kernel.write(kernel.slot + at, 0n); }
  };
  assertEquals(await mappingsOf(kernel), []);
  assert(kernel.reads > 25);
});

Deno.test("loops and wild pointers in the tree end in an error", async () => {
  for (const [from, to] of [[0, 1], [2, 1], [1, 1], [0, 2]] as const) {
    for (const side of [8n, 16n]) {
      const kernel = new FakeKernel({ ranges: rangesOf(3) });
      kernel.write(kernel.nodes[from]! + side, kernel.nodes[to]!);
      await assertRejects(() => mappingsOf(kernel), KernelFormatError);
    }
  }
  const wild = new FakeKernel({ ranges: rangesOf(3) });
  wild.write(wild.root, 0x1000n);
  await assertRejects(() => mappingsOf(wild), InconsistentListError);
  // Every node leads back rightly and has one more: only the depth can tell.
  const endless = () =>
    readRbTree(
      1n,
      ([at]) => Promise.resolve([{ parent: at! - 1n, left: 0n, right: at! + 1n, value: at }]),
    );
  await assertRejects(endless, KernelFormatError, "it does not end");
});

function fuzz<T>(name: string, input: fc.Arbitrary<T>, decode: (value: T) => unknown): void {
  Deno.test(`garbage ends well: ${name}`, async () => {
    await fc.assert(fc.asyncProperty(input, (value) => endsWell(() => decode(value))));
  });
}

const CORE_BTF = new BtfBlob(btfBytes(CORE));
const DMA_OFFSETS = new Map(
  Object.entries({ ...TYPE1, rb_node: CORE.rb_node }).flatMap(([struct, members]) =>
    Object.entries(members).map((
      [name, at],
    ): [string, number] => [`${struct}.${name}`, [at].flat()[0] as number])
  ),
);
const BYTES = fc.uint8Array({ minLength: 1, maxLength: 2048 });

fuzz("split BTF", fc.tuple(TYPE_WORDS, fc.nat(64)), async ([words, strings]) => {
  const types = new Uint8Array(new BigUint64Array(words).buffer);
  const bytes = new Uint8Array([...btfBytes({}, CORE_BTF).subarray(0, 24), ...types]);
  const view = new DataView(bytes.buffer);
  view.setUint32(12, types.length - strings, true);
  view.setUint32(16, types.length - strings, true);
  view.setUint32(20, strings, true);
  const module = new BtfBlob(bytes, CORE_BTF);
  await endsWell(() => module.idsOf("vfio_dma"));
  for (let id = 0; id < Math.min(module.count, 60); id++) {
    await endsWell(() => new Btf(module).layout(id));
  }
});

fuzz("the list of modules with types", POINTERS, async (pointers) => {
  await endsWell(() => readModuleBtfs({ reader: tangled(pointers, []), list: BASE }));
});

Deno.test("a list of modules with types that leads in a circle ends", async () => {
  const circle = tangled([], [[0, BASE + 64n], [64, BASE + 128n], [128, BASE + 64n]]);
  await assertRejects(
    () => readModuleBtfs({ reader: circle, list: BASE }),
    KernelFormatError,
    "it does not end",
  );
});

fuzz(
  "a module's types",
  fc.tuple(POINTERS, TYPE_WORDS, fc.nat(8000)),
  async ([pointers, words, length]) => {
    const typed = words.map((word, i): Word => [8192 + 24 + i * 8, word]);
    const reader = tangled(pointers, [
      [256, BASE + 8192n],
      [384, BASE],
      [392, BigInt(CORE_BTF.count) | BigInt(CORE_BTF.stringsEnd) << 32n],
      ...btfHeader(8192, length),
      ...typed,
    ]);
    const source = { reader, core: CORE_BTF, coreBtf: BASE, list: BASE };
    const types = await readModuleTypes(source, BASE + 256n);
    for (let id = 0; id < Math.min(types.count, 60); id++) {
      await endsWell(() => new Btf(types).layout(id));
    }
  },
);

fuzz(
  "the tree of mappings",
  fc.oneof(BYTES.map(garbage), POINTERS.map((pointers) => tangled(pointers))),
  (reader) => readDmaRanges(reader, DMA_OFFSETS, BASE),
);

Deno.test("tables of files without end are refused at once", async () => {
  const offsets = await new FakeKernel().offsets();
  // Everywhere the same: 0x01010101 places, or 0x10101 with a file in each.
  for (const bytes of [[1], [1, 1, 1, 0, 0x80, 0x88, 0xff, 0xff]]) {
    let reads = 0;
    const memory = garbage(Uint8Array.from(bytes));
    const reader = {
      read: (address: bigint, length: number) => (reads++, memory.read(address & ~7n, length)),
    };
    await assertRejects(() => readOpenFiles(reader, offsets, BASE), CapabilityError, "65536 files");
    assertLess(reads, 20);
  }
});

fuzz(
  "open files",
  POINTERS.map((pointers) => tangled(pointers)),
  async (reader) => readOpenFiles(reader, await new FakeKernel().offsets(), BASE),
);

fuzz(
  "a kernel with words gone wrong",
  fc.array(fc.tuple(fc.nat(4000).map((at) => at & ~7), fc.nat(5000)), {
    minLength: 1,
    maxLength: 8,
  }),
  async (words) => {
    const kernel = new FakeKernel({ ranges: rangesOf(12) });
    for (const [at, to] of words) kernel.write(BASE + BigInt(at), BASE + BigInt(to));
    const found = await mappingsOf(kernel);
    assert(found.length <= 24);
  },
);
