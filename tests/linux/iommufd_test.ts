/** No Debian kernel has iommufd: its reader is held against memory that is built here. */
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { InconsistentListError, PagewalkError } from "../../mod.ts";
import { readIommufdAreas } from "../../src/linux/iommufd/read_areas.ts";
import { VfioMappings } from "../../src/linux/vfio_mappings.ts";
import { readXarray } from "../../src/linux/xarray.ts";
import { BASE, garbage, POINTERS, tangled } from "./_hostile.ts";
import { CORE, IOMMUFD } from "./_btf_bytes.ts";
import {
  DOMAIN,
  FakeKernel,
  type FakeKernelOptions,
  type FakeRange,
  OWN_MM,
} from "./_vfio_kernel.ts";

const OTHER_MM = BASE + 0xa_0000n;
const PAGE = 4096n;

function ranges(count: number): FakeRange[] {
  return Array.from({ length: count }, (_, i) => ({
    iova: BigInt(i) * 0x10_0000n,
    vaddr: 0x7f12_3456_7000n + BigInt(i) * 0x20_0000n,
    size: PAGE * BigInt(1 + i % 5),
    prot: 1 + i % 3,
  }));
}

function mappingsOf(options: FakeKernelOptions) {
  const kernel = new FakeKernel({ holds: "iommufd", ...options });
  return new VfioMappings(kernel).of(kernel.owner);
}

Deno.test("iommufd: areas of an address space, with what pins them", async () => {
  for (const count of [0, 1, 2, 7, 100]) {
    const made = ranges(count);
    assertEquals(
      await mappingsOf({ ranges: made }),
      made.map(({ iova, vaddr, size, prot }) => ({
        owner: { kind: "self" as const, pid: 84 },
        iova,
        address: vaddr,
        lengthBytes: Number(size),
        readable: Boolean(prot! & 1),
        writable: Boolean(prot! & 2),
      })),
      `${count} areas`,
    );
  }
});

Deno.test("iommufd: a context that is held by a group or a device's file alone is found", async () => {
  for (const holds of ["group of iommufd", "device of iommufd"] as const) {
    assertEquals((await mappingsOf({ ranges: ranges(3), holds })).length, 3, holds);
  }
});

Deno.test("iommufd: within a page, of files, of others, and what nothing has pinned", async () => {
  const [a, b, c, d] = ranges(4) as [FakeRange, FakeRange, FakeRange, FakeRange];
  const found = await mappingsOf({
    ranges: [
      { ...a, vaddr: a.vaddr + 0x10n, size: 0x20n },
      { ...b, isFile: true },
      { ...c, by: { pid: 99, mm: OTHER_MM } },
      { ...d, pinned: 0 },
    ],
  });
  assertEquals(
    found.map(({ address, lengthBytes, owner }) => ({ address, lengthBytes, owner })),
    [
      { address: a.vaddr, lengthBytes: 4096, owner: { kind: "self", pid: 84 } },
      { address: null, lengthBytes: Number(b.size), owner: { kind: "self", pid: 84 } },
      { address: c.vaddr, lengthBytes: Number(c.size), owner: { kind: "other", pid: 99 } },
    ],
  );
});

Deno.test("iommufd: the IOMMU's tables behind a context are those of its domains", async () => {
  const kernel = new FakeKernel({ holds: "iommufd", ranges: ranges(1) });
  const table = BASE + 0xb_0000n;
  const { domain, pgd } = CORE.dmar_domain;
  kernel.addSymbol("dmar_drhd_units");
  kernel.write(DOMAIN + BigInt(pgd - domain), table);
  const [container] = await new VfioMappings(kernel).containersOf(kernel.owner);
  assertEquals([container!.mappings.length, container!.tables], [1, [table]]);
});

Deno.test("iommufd: what changes under the reader is read again, and garbage is told", async () => {
  const made = ranges(20);
  const kernel = new FakeKernel({ holds: "iommufd", ranges: made });
  const root = kernel.nodes[10]!;
  let reads = 0;
  // A node leads elsewhere for a while: its parent does not fit.
  kernel.beforeRead = () => kernel.write(root, reads++ < 40 ? BASE : 0n);
  assertEquals((await new VfioMappings(kernel).of(kernel.owner)).length, 20);
  const [a, b] = made as [FakeRange, FakeRange];
  await assertRejects(() => mappingsOf({ ranges: [b, a] }), PagewalkError, "does not ascend");
  await assertRejects(() => mappingsOf({ ranges: [{ ...a, size: 0n }] }), PagewalkError);
  await assertRejects(
    () => mappingsOf({ ranges: [{ ...a, pinned: 1000 }] }),
    PagewalkError,
    "goes beyond them",
  );
  const lost = new FakeKernel({ holds: "iommufd", ranges: made });
  lost.write(lost.root, BASE - 4096n);
  await assertRejects(
    () => new VfioMappings(lost).of(lost.owner),
    InconsistentListError,
  );
});

const OFFSETS = new Map(
  Object.entries({ ...IOMMUFD, ...CORE }).flatMap(([struct, members]) =>
    Object.entries(members).map(([name, at]): [string, number] => [
      `${struct}.${name}`,
      [at].flat()[0] as number,
    ])
  ),
);
const LAYOUTS = { offsets: OFFSETS, values: { IOMMUFD_OBJ_IOAS: 4 }, userType: 0 };

async function ends(read: () => Promise<unknown>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof PagewalkError)) throw error;
  }
}

Deno.test("garbage ends well: iommufd's areas, and arrays", async () => {
  await fc.assert(fc.asyncProperty(POINTERS, async (pointers) => {
    const reader = tangled(pointers);
    await ends(() => readIommufdAreas(reader, LAYOUTS, BASE));
    for (const head of [BASE + 2n, BASE + 66n, BASE, 3n, 1030n]) {
      await ends(() => readXarray(reader, { array: BASE, head, most: 1000 }));
    }
  }));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 512 }), async (bytes) => {
      await ends(() => readIommufdAreas(garbage(bytes), LAYOUTS, BASE));
    }),
  );
});

Deno.test("an array gives its pointers in order, and nothing that is only reserved", async () => {
  const node = BASE + 1024n;
  const leaf = BASE + 2048n;
  const word = (at: number, value: bigint): [number, bigint] => [at, value];
  const reader = tangled([], [
    word(1024, 6n), // shift 6, at slot 0 of nothing
    word(1024 + 16, BASE),
    word(1024 + 40 + 8, leaf + 2n),
    word(1024 + 40 + 16, 1030n),
    word(2048, 1n << 8n), // shift 0, at slot 1
    word(2048 + 8, node),
    word(2048 + 16, BASE),
    word(2048 + 40 + 24, OWN_MM),
    word(2048 + 40 + 8, DOMAIN),
    word(2048 + 40 + 32, 5n), // a number
  ]);
  const read = (head: bigint) => readXarray(reader, { array: BASE, head, most: 1000 });
  assertEquals(await read(node + 2n), [DOMAIN, OWN_MM]);
  assertEquals(await read(OWN_MM), [OWN_MM]);
  assertEquals(await read(0n), []);
  await assertRejects(() => read(leaf + 2n), PagewalkError, "the array is changed");
});
