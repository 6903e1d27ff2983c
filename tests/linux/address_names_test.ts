import { assertEquals, assertLess } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { AddressNames } from "../../src/linux/address_names.ts";
import { readAreaPages } from "../../src/linux/area_pages.ts";
import type { MemoryArea } from "../../src/linux/memory_area.ts";
import { SwapTypes } from "../../src/linux/swap_types.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { mappings } from "../../src/translate/mappings.ts";

const KERNEL = {
  nameAbsent: <T>(found: T) => Promise.resolve(found),
  hugeZeroFrame: () => Promise.resolve(null),
};

function areaAt(start: bigint, lengthBytes: bigint): MemoryArea {
  const area = { permissions: "rw-p", offset: 0n, kind: "anonymous", name: "", flags: 3n } as const;
  return { ...area, start, end: start + lengthBytes };
}

Deno.test("AddressNames finds the range of an address, and lets the later of two have what they share", () => {
  const names = new AddressNames([
    { start: 0x5000n, end: 0x9000n, name: "b" },
    { start: 0x1000n, end: 0x6000n, name: "a" },
  ]);
  const at = (address: bigint) => names.at(address)?.name ?? null;
  assertEquals(
    [0xfffn, 0x1000n, 0x4fffn, 0x5000n, 0x8fffn, 0x9000n].map(at),
    [null, "a", "a", "b", "b", null],
  );
  assertEquals([...names.boundaries], [0x1000n, 0x5000n, 0x9000n]);
  assertEquals(new AddressNames([]).at(0n), null);
});

Deno.test("mappings() ends a run at a boundary, and leaves no page out", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x800_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  for (let i = 0n; i < 8n; i++) {
    tables.map(0x40_0000n + i * 0x1000n, 0x20_0000n + i * 0x1000n, "4K", { user: true });
  }
  const context = pagingContext(registersFor(tables));
  const runs = async (boundaries: bigint[]) =>
    (await Array.fromAsync(mappings(memory, context, {}, { boundaries: new Set(boundaries) })))
      .map((run) => [run.address, run.lengthBytes]);
  assertEquals(await runs([]), [[0x40_0000n, 0x8000]]);
  assertEquals(await runs([0x40_3000n, 0x40_0000n, 0x50_0000n]), [
    [0x40_0000n, 0x3000],
    [0x40_3000n, 0x5000],
  ]);
});

Deno.test("tables in a circle do not make the sums of many areas read without end", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x800_0000n)] });
  const root = 0x10_0000n;
  // Every entry of the top table, and of those below, leads to one of three tables.
  for (let table = 0n; table < 3n; table++) {
    for (let i = 0n; i < 512n; i++) {
      const to = root + ((i + table) % 3n) * 0x1000n;
      memory.writeU64(root + table * 0x1000n + i * 8n, to | 7n);
    }
  }
  const builder = new PageTableBuilder("4-level", memory, { tablesAt: 0x20_0000n });
  const context = { ...pagingContext(registersFor(builder)), root };
  let reads = 0;
  const counting: PhysicalMemory = {
    read: (address, lengthBytes, options) => {
      reads++;
      return memory.read(address, lengthBytes, options);
    },
  };
  const areas = Array.from({ length: 64 }, (_, i) => areaAt(BigInt(i) << 40n, 1n << 40n));
  const sums = await Array.fromAsync(readAreaPages(counting, context, areas, KERNEL));
  assertLess(reads, 100);
  for (const { mappedBytes, unknownBytes, untouchedBytes } of sums) {
    const mapped = [...mappedBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    assertEquals(mapped + unknownBytes + untouchedBytes, 2 ** 40);
  }
});

/** A kernel whose array of swap devices has so many elements, and these functions. */
function kernel(release: string, devices: number, ...functions: string[]) {
  const start = 0xffff_ffff_8200_0000n;
  const names = [...devices === 0 ? [] : ["swap_info"], ...functions];
  return {
    release,
    address: (name: string) => Promise.resolve(names.includes(name) ? start : null),
    symbolAt: (address: bigint) =>
      Promise.resolve({
        name: "",
        type: "b",
        address: address < start + BigInt(devices * 8) ? start : start + BigInt(devices * 8),
      }),
  };
}

const ALL = ["memory_failure", "migration_entry_wait", "make_device_exclusive_range"];

for (
  const [name, source, expected] of [
    ["6.1 of a cloud", kernel("6.1.0-56-cloud-amd64", 27, ALL[1]!), {
      26: [],
      27: ["migration"],
      29: ["migration"],
      30: [],
      31: ["swapin-error"],
    }],
    ["6.1 with all", kernel("6.1.0", 22, ...ALL), {
      22: ["hwpoison"],
      23: ["migration"],
      26: ["device-private"],
      28: ["device-exclusive"],
      30: [],
      31: ["swapin-error"],
    }],
    ["6.12 with all", kernel("6.12.1", 23, ...ALL), {
      23: ["hwpoison"],
      24: ["migration"],
      27: ["device-private"],
      30: ["device-exclusive"],
      31: [],
    }],
    ["5.10", kernel("5.10.0", 27, ALL[0]!, ALL[1]!, "migrate_vma_setup"), {
      27: ["hwpoison"],
      28: ["migration"],
      30: ["device-private"],
      31: ["device-private"],
    }],
    // Nothing is known of it: what the releases before may mean, all of it.
    ["a kernel of an unknown kind", kernel("x", 0, ...ALL), {
      25: ["hwpoison", "migration"],
      30: ["migration", "device-exclusive"],
    }],
  ] as const
) {
  Deno.test(`SwapTypes: ${name}`, async () => {
    const types = await SwapTypes.of(source);
    const found = Object.keys(expected).map((type) => [type, types.statesOf(Number(type))]);
    assertEquals(Object.fromEntries(found), expected);
  });
}
