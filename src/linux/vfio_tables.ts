import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed } from "./changed.ts";
import { readU64 } from "./reader.ts";
import type { VfioKernel, VfioLayouts } from "./vfio_layouts.ts";

/** A member of a struct, on the way to a table. */
type Step = readonly [struct: string, member: string];

/** How an IOMMU driver keeps the top table of a domain. */
interface DomainDriver {
  /** A symbol that only a kernel with this driver has. */
  readonly symbol: string;
  /** The struct that is around `struct iommu_domain`, which is its member `domain`. */
  readonly struct: string;
  /** The ways from it to the pointer, by release: the first step's struct is the driver's. */
  readonly ways: readonly (readonly Step[])[];
}

const COMMON: Step = ["pt_common", "top_of_table"];

const DRIVERS: readonly DomainDriver[] = [{
  symbol: "dmar_drhd_units",
  struct: "dmar_domain",
  ways: [
    [["dmar_domain", "pgd"]],
    // Since 6.19 ("iommu/vt-d: Use the generic iommu page table").
    [["dmar_domain", "sspt"], ["pt_iommu_vtdss", "vtdss_pt"], ["pt_vtdss", "common"], COMMON],
    [["dmar_domain", "fspt"], ["pt_iommu_x86_64", "x86_64_pt"], ["pt_x86_64", "common"], COMMON],
  ],
}, {
  symbol: "amd_iommu_list",
  struct: "protection_domain",
  ways: [
    [["protection_domain", "iop"], ["amd_io_pgtable", "root"]],
    // Since 6.19 ("iommu/amd: Use the generic iommu page table").
    [["protection_domain", "amdv1"], ["pt_iommu_amdv1", "amdpt"], ["pt_amdv1", "common"], COMMON],
  ],
}];

/** Tables are whole pages; `top_of_table` has the number of levels in its low bits. */
const PAGE = ~0xfffn;
/** Where the kernel's half begins, with four or five levels. */
const KERNEL_HALF = 0xff00_0000_0000_0000n;

/**
 * Finds ways from a `struct iommu_domain` to its top table, as distances in bytes: for each driver that this
 * kernel has and whose layout its types tell. Which driver a domain is of is not asked: what the way of another
 * one leads to is no table of the IOMMU's own, and the caller has to look.
 */
export async function domainTableOffsets(
  kernel: Pick<VfioKernel, "address">,
  layouts: Pick<VfioLayouts, "find">,
): Promise<bigint[]> {
  const offsets = new Set<bigint>();
  for (const { symbol, struct, ways } of DRIVERS) {
    if (await kernel.address(symbol) === null) continue;
    const members = ["domain", ...ways.map(([[, member] = ["", ""]]) => member)];
    const own = await layouts.find(0n, struct, members);
    const domain = own?.get(`${struct}.domain`);
    if (own === null || domain === undefined) continue;
    for (const [[, first] = ["", ""], ...rest] of ways) {
      let offset = own.get(`${struct}.${first}`);
      for (const [inner, member] of rest) {
        if (offset === undefined) break;
        const next = (await layouts.find(0n, inner, [member]))?.get(`${inner}.${member}`);
        offset = next === undefined ? undefined : offset + next;
      }
      if (offset !== undefined) offsets.add(BigInt(offset - domain));
    }
  }
  return [...offsets];
}

/** Where mappings stand. */
export interface DomainTables {
  /** The top tables, as the kernel points to them; null if its domains are laid out in another way. */
  readonly tables: readonly bigint[] | null;
  /** The virtual addresses of the `struct iommu_domain`s. */
  readonly domains: readonly bigint[];
}

/** Of what was not looked for. */
export const NO_TABLES: DomainTables = { tables: null, domains: [] };

/** The tables of domains, as {@linkcode domainTableOffsets} finds them. */
export async function tablesOfDomains(
  kernel: VfioKernel,
  layouts: VfioLayouts,
  domains: readonly bigint[],
  options: ReadOptions = {},
): Promise<readonly bigint[] | null> {
  const offsets = await domainTableOffsets(kernel, layouts);
  const tables: bigint[] = [];
  if (offsets.length > 0) {
    for (const domain of domains) {
      tables.push(...await domainTables(kernel, domain, offsets, options));
    }
  }
  return tables.length > 0 ? tables : null;
}

/** What the ways lead to from one domain, where it can be a table: virtual addresses. */
export async function domainTables(
  { live }: Pick<VfioKernel, "live">,
  domain: bigint,
  offsets: readonly bigint[],
  options: ReadOptions = {},
): Promise<bigint[]> {
  const found = new Set<bigint>();
  for (const offset of offsets) {
    const pointer = await readU64(live, BigInt.asUintN(64, domain + offset), options);
    if (pointer >= KERNEL_HALF) found.add(pointer & PAGE);
  }
  return [...found];
}

/** A container has a domain for each kind of IOMMU that its groups are behind: few. */
const MAX_DOMAINS = 64;

/**
 * Reads from a `struct vfio_iommu` which IOMMU tables its mappings stand in: the root of each of its domains
 * as the kernel points to it. The caller has to find the root among the IOMMU's own, or it is none.
 *
 * @param module the module of the type 1 driver; 0 if it is built in
 */
export async function readDomainTables(
  kernel: VfioKernel,
  layouts: VfioLayouts,
  { module, iommu }: { readonly module: bigint; readonly iommu: bigint },
  options: ReadOptions = {},
): Promise<DomainTables> {
  const { live } = kernel;
  const lists = await layouts.of(module, "vfio_iommu", ["domain_list"]);
  const domains = await layouts.of(module, "vfio_domain", ["next", "domain"]);
  const at = (offsets: ReadonlyMap<string, number> | null, member: string) => {
    const offset = offsets?.get(member);
    return offset === undefined ? null : BigInt(offset);
  };
  const [list, next, domain] = [
    at(lists, "vfio_iommu.domain_list"),
    at(domains, "vfio_domain.next"),
    at(domains, "vfio_domain.domain"),
  ];
  if (list === null || next === null || domain === null) return NO_TABLES;
  const head = iommu + list;
  const found: bigint[] = [];
  let link = await readU64(live, head, options);
  for (let count = 0; link !== head; count++) {
    if (count === MAX_DOMAINS) throw new Changed("the list of its domains has no end");
    found.push(await readU64(live, BigInt.asUintN(64, link - next + domain), options));
    link = await readU64(live, link, options);
  }
  return { tables: await tablesOfDomains(kernel, layouts, found, options), domains: found };
}
