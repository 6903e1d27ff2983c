import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed } from "./changed.ts";
import { readU64 } from "./reader.ts";
import type { VfioKernel, VfioLayouts } from "./vfio_layouts.ts";

/** A container has a domain for each kind of IOMMU that its groups are behind: few. */
const MAX_DOMAINS = 64;

/**
 * Reads from a `struct vfio_iommu` which IOMMU tables its mappings stand in: the root of each of its domains
 * as the kernel points to it. Only Intel's driver has it at a place that is known (`dmar_domain.pgd`, up to
 * 6.18); the caller has to find the root among the IOMMU's own, or it is none.
 *
 * @param module the module of the type 1 driver; 0 if it is built in
 * @returns virtual addresses; null if this kernel's domains are laid out in another way
 */
export async function readDomainTables(
  kernel: VfioKernel,
  layouts: VfioLayouts,
  { module, iommu }: { readonly module: bigint; readonly iommu: bigint },
  options: ReadOptions = {},
): Promise<readonly bigint[] | null> {
  const { live } = kernel;
  const lists = await layouts.of(module, "vfio_iommu", ["domain_list"]);
  const domains = await layouts.of(module, "vfio_domain", ["next", "domain"]);
  const tableOf = await tableReader(kernel, layouts, options);
  const at = (offsets: ReadonlyMap<string, number>, member: string) => {
    const offset = offsets.get(member);
    return offset === undefined ? null : BigInt(offset);
  };
  const [list, next, domain] = [
    at(lists, "vfio_iommu.domain_list"),
    at(domains, "vfio_domain.next"),
    at(domains, "vfio_domain.domain"),
  ];
  if (list === null || next === null || domain === null || tableOf === null) return null;
  const head = iommu + list;
  const tables: bigint[] = [];
  for (let link = await readU64(live, head, options); link !== head;) {
    if (tables.length === MAX_DOMAINS) throw new Changed("the list of its domains has no end");
    const own = await readU64(live, BigInt.asUintN(64, link - next + domain), options);
    tables.push(await tableOf(own));
    link = await readU64(live, link, options);
  }
  return tables;
}

/**
 * How to come from a `struct iommu_domain` to its table; null if this kernel's domains are laid out in
 * another way.
 */
export async function tableReader(
  { live }: VfioKernel,
  layouts: VfioLayouts,
  options: ReadOptions = {},
): Promise<((domain: bigint) => Promise<bigint>) | null> {
  const dmar = await layouts.find(0n, "dmar_domain", ["domain", "pgd"]);
  const [inner, pgd] = [dmar?.get("dmar_domain.domain"), dmar?.get("dmar_domain.pgd")];
  if (inner === undefined || pgd === undefined) return null;
  const distance = BigInt(pgd - inner);
  return (domain) => readU64(live, BigInt.asUintN(64, domain + distance), options);
}
