import type { StructOffsets } from "../struct_reader.ts";
import type { VfioLayouts } from "../vfio_layouts.ts";

/** The object that is an address space (`enum iommufd_object_type`). */
export const IOAS_TYPE = "IOMMUFD_OBJ_IOAS";
const OBJECT_TYPES = "iommufd_object_type";
const ADDRESS_TYPES = "iopt_address_type";

/** How iommufd's structures are laid out. */
export interface IommufdLayouts {
  /** Where their members lie. */
  readonly offsets: StructOffsets;
  /** The numbers of objects' types. */
  readonly values: Readonly<Record<typeof IOAS_TYPE, number>>;
  /** The number of memory that a process has at an address, among the kinds of pages; 0 where all are. */
  readonly userType: number;
}

const STRUCTS: Readonly<Record<string, readonly string[]>> = {
  iommufd_ctx: ["objects"],
  iommufd_object: ["type", "id"],
  iommufd_ioas: ["obj", "iopt"],
  io_pagetable: ["area_itree", "domains"],
  iopt_area: ["node", "pages_node", "pages", "page_offset", "iommu_prot"],
  iopt_pages: ["npages", "npinned", "source_task", "source_mm", "uptr", "type"],
};

/**
 * Finds iommufd's layouts in the types of its module, or the kernel's own where it is built in.
 *
 * @throws {CapabilityError} if the types are not known
 */
export async function iommufdLayouts(
  layouts: VfioLayouts,
  module: bigint,
): Promise<IommufdLayouts> {
  const own = await Promise.all(
    Object.entries(STRUCTS).map(([struct, members]) => layouts.of(module, struct, members)),
  );
  const node = ["iopt_area", "node"] as const;
  const others = await Promise.all([
    layouts.ofMember(module, ["iommufd_ctx", "objects"], "xarray", ["xa_head"]),
    layouts.ofMember(module, node, "interval_tree_node", ["rb", "start", "last"]),
    layouts.ofMember(module, ["iopt_area", "node.rb"], "rb_node", [
      "__rb_parent_color",
      "rb_left",
      "rb_right",
    ]),
  ]);
  const types = await layouts.enumeration(module, OBJECT_TYPES);
  const kinds = await layouts.findEnumeration(module, ADDRESS_TYPES);
  return {
    offsets: new Map([...own, ...others].flatMap((part) => [...part])),
    values: { [IOAS_TYPE]: types.get(IOAS_TYPE) ?? -1 },
    userType: kinds?.get("IOPT_ADDRESS_USER") ?? 0,
  };
}
