/** From a domain to its table, in the layouts of three releases, on structures made by hand. */
import { assertEquals } from "@std/assert";
import { domainTableOffsets, domainTables } from "../../src/linux/vfio_tables.ts";
import type { Reader } from "../../src/linux/reader.ts";

type Structs = Readonly<Record<string, Readonly<Record<string, number>>>>;

const SYMBOLS = { intel: "dmar_drhd_units", amd: "amd_iommu_list" };

/** Linux 6.1, both drivers. */
const LINUX_6_1: Structs = {
  dmar_domain: { pgd: 64, domain: 160 },
  protection_domain: { domain: 16, iop: 112 },
  amd_io_pgtable: { root: 48 },
};

/** Generic page tables: everything lies around the same `struct iommu_domain`. */
const GENERIC: Structs = {
  dmar_domain: { domain: 0, iommu: 0, fspt: 0, sspt: 0 },
  pt_iommu_vtdss: { iommu: 0, vtdss_pt: 136 },
  pt_iommu_x86_64: { iommu: 0, x86_64_pt: 136 },
  pt_vtdss: { common: 0 },
  pt_x86_64: { common: 0 },
  protection_domain: { domain: 0, iommu: 0, amdv1: 0, amdv2: 0 },
  pt_iommu_amdv1: { iommu: 0, amdpt: 136 },
  pt_amdv1: { common: 8 },
  pt_common: { top_of_table: 0 },
};

async function offsets(structs: Structs, symbols: readonly string[]): Promise<bigint[]> {
  return await domainTableOffsets(
    { address: (name) => Promise.resolve(symbols.includes(name) ? 0xffff_ffff_8100_0000n : null) },
    {
      find(_module, struct, members) {
        const layout = structs[struct];
        if (layout === undefined) return Promise.resolve(null);
        const known = members.filter((member) => Object.hasOwn(layout, member));
        return Promise.resolve(
          new Map(known.map((member) => [`${struct}.${member}`, layout[member]!])),
        );
      },
    },
  );
}

Deno.test("each driver that the kernel has is asked by its own layout", async () => {
  const { intel, amd } = SYMBOLS;
  assertEquals(await offsets(LINUX_6_1, [intel]), [64n - 160n]);
  assertEquals(await offsets(LINUX_6_1, [amd]), [112n + 48n - 16n]);
  assertEquals(await offsets(LINUX_6_1, [intel, amd]), [-96n, 144n]);
  assertEquals(await offsets(GENERIC, [intel]), [136n]);
  assertEquals(await offsets(GENERIC, [amd]), [144n]);
  assertEquals(await offsets(LINUX_6_1, []), []);
});

Deno.test("a layout that is cut short anywhere leads nowhere", async () => {
  const { intel } = SYMBOLS;
  for (const missing of ["pt_iommu_vtdss", "pt_vtdss", "pt_common", "dmar_domain"]) {
    const { [missing]: _, pt_iommu_x86_64: _x, ...rest } = GENERIC;
    assertEquals(await offsets(rest, [intel]), []);
  }
  const { dmar_domain: { domain: _, ...own } = {} } = LINUX_6_1;
  assertEquals(await offsets({ ...LINUX_6_1, dmar_domain: own }, [intel]), []);
});

Deno.test("a pointer is a page of the kernel's half, or it is none", async () => {
  const values = [0xffff_8880_0123_4000n, 0xffff_8880_0123_4003n, 0n, 0x1234_5000n, 1n << 63n];
  const live: Reader = {
    read(address) {
      const bytes = new Uint8Array(new BigUint64Array([values[Number(address) / 8]!]).buffer);
      return Promise.resolve(bytes);
    },
  };
  const all = values.map((_, i) => BigInt(i * 8));
  assertEquals(await domainTables({ live }, 0n, all), [0xffff_8880_0123_4000n]);
});
