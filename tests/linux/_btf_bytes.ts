/** Type data as tests need it: BTF with structs of their own, and those of VFIO and iommufd. */
import type { BtfBlob } from "../../src/linux/btf/btf_source.ts";

/** Members of a struct and where they lie; some are structs that were written before. */
export type Layout = Readonly<Record<string, number | readonly [at: number, struct: string]>>;

/** Writes type data that consists of structs, on its own or going on where a base's ends. */
export function btfBytes(
  structs: Readonly<Record<string, Layout>>,
  base?: BtfBlob,
  enums: Readonly<Record<string, Readonly<Record<string, number>>>> = {},
): Uint8Array {
  const firstString = base?.stringsEnd ?? 0;
  // A module's strings need not begin with the empty one, which its base has.
  const texts: number[] = base ? [] : [0];
  const types: number[] = [];
  const string = (text: string) => {
    const at = firstString + texts.length;
    texts.push(...new TextEncoder().encode(text), 0);
    return at;
  };
  const [INT, STRUCT, ENUM] = [1, 4, 6];
  const int = base ? 1 : (types.push(string("long"), INT << 24, 8, 64), 1);
  const ids = new Map<string, number>(base ? CORE_IDS : []);
  let next = base?.count ?? 2;
  for (const [name, members] of Object.entries(structs)) {
    const entries = Object.entries(members);
    types.push(string(name), STRUCT << 24 | entries.length, 256);
    ids.set(name, next++);
    for (const [member, place] of entries) {
      const [at, type] = typeof place === "number" ? [place, int] : [place[0], ids.get(place[1])!];
      types.push(string(member), type, at * 8);
    }
  }
  for (const [name, values] of Object.entries(enums)) {
    const entries = Object.entries(values);
    types.push(string(name), ENUM << 24 | entries.length, 4);
    for (const [value, number] of entries) types.push(string(value), number);
  }
  const typesBytes = types.length * 4;
  const head = [0x1_eb9f, 24, 0, typesBytes, typesBytes, texts.length];
  return new Uint8Array([
    ...new Uint8Array(new Uint32Array([...head, ...types]).buffer),
    ...texts,
  ]);
}

/** The structures that the kernel itself has. */
export const CORE = {
  list_head: { next: 0, prev: 8 },
  rb_node: { __rb_parent_color: 0, rb_right: 8, rb_left: 16 },
  interval_tree_node: { rb: [0, "rb_node"], start: 24, last: 32 },
  xarray: { xa_lock: 0, xa_head: 8 },
  dmar_domain: { domain: 16, pgd: 8 },
} as const;
/** Their numbers in the type data: a long integer is before them. */
const CORE_IDS = Object.keys(CORE).map((name, i): [string, number] => [name, 2 + i]);
/** Those of the module vfio. */
export const VFIO = {
  vfio_container: { iommu_driver: 16, iommu_data: 24 },
  vfio_iommu_driver: { ops: 0 },
  vfio_iommu_driver_ops: { name: 0, owner: 8 },
  vfio_group: { container: 8, cdev: 16, iommufd: 24 },
  vfio_device: { group: 8 },
  vfio_device_file: { device: 0, iommufd: 8 },
} as const;
/** Those of the module vfio_iommu_type1. */
export const TYPE1 = {
  vfio_iommu: { dma_list: 40 },
  vfio_dma: {
    node: [8, "rb_node"],
    iova: 32,
    vaddr: 40,
    size: 48,
    prot: 56,
    vaddr_invalid: 62,
    task: 64,
    mm: 72,
  },
} as const;

/** Those of the module iommufd, in no kernel's order. */
export const IOMMUFD = {
  iommufd_ctx: { file: 0, objects: [16, "xarray"] },
  iommufd_object: { users: 0, type: 4, id: 8 },
  iommufd_ioas: { obj: 0, iopt: 32 },
  io_pagetable: { domains: [8, "xarray"], area_itree: 40 },
  iopt_area: {
    node: [8, "interval_tree_node"],
    pages_node: [56, "interval_tree_node"],
    pages: 104,
    page_offset: 112,
    iommu_prot: 116,
  },
  iopt_pages: { npages: 8, npinned: 16, source_task: 24, source_mm: 32, type: 40, uptr: 48 },
} as const;
/** Its enumerations. */
export const IOMMUFD_ENUMS = {
  iommufd_object_type: { IOMMUFD_OBJ_DEVICE: 1, IOMMUFD_OBJ_IOAS: 4 },
  iopt_address_type: { IOPT_ADDRESS_USER: 0, IOPT_ADDRESS_FILE: 1 },
} as const;
