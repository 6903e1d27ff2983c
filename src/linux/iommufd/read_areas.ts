import type { ReadOptions } from "../../memory/physical_memory.ts";
import { Changed } from "../changed.ts";
import { KernelFormatError } from "../errors.ts";
import { type RbNode, readRbTree } from "../rb_tree.ts";
import { type Reader, viewOf } from "../reader.ts";
import { StructReader, type StructView } from "../struct_reader.ts";
import { readXarray } from "../xarray.ts";
import { IOAS_TYPE, type IommufdLayouts } from "./layouts.ts";

/** A range that iommufd keeps: one `IOMMU_IOAS_MAP`, a `struct iopt_area`, and the pages behind it. */
export interface IommufdArea {
  /** The virtual address of its `struct iopt_area`. */
  readonly area: bigint;
  /** The number of its address space (IOAS) in the context. */
  readonly ioas: number;
  /** Its first address on the device's side. */
  readonly iova: bigint;
  /** Its first virtual address in the process; null for memory of a file or a device. */
  readonly address: bigint | null;
  /** Its length in bytes. */
  readonly lengthBytes: bigint;
  /** `IOMMU_READ` and `IOMMU_WRITE`, as seen by the device. */
  readonly prot: number;
  /** How many pages of the memory behind it are pinned: none until a device is attached. */
  readonly pinnedPages: number;
  /** The first thread of the process that mapped it. */
  readonly task: bigint;
  /** That process's memory. */
  readonly mm: bigint;
}

/** Bounds for garbage. */
const MAX_OBJECTS = 1 << 16;
const PAGE_BYTES = 4096n;
/** The two lowest bits of `__rb_parent_color` are not part of the address (include/linux/rbtree.h). */
const PARENT = BigInt.asUintN(64, ~3n);

const AREA = { node: 48, pages_node: 48, pages: 8, page_offset: 4, iommu_prot: 4 } as const;
const PAGES = { npages: 8, npinned: 8, source_task: 8, source_mm: 8, uptr: 8 } as const;
type AreaView = StructView<keyof typeof AREA>;

/** What is read of an area before its pages are. */
interface Placed {
  readonly area: bigint;
  readonly iova: bigint;
  readonly last: bigint;
  readonly pages: bigint;
  /** The distance of its first byte from that of its pages. */
  readonly startByte: bigint;
  readonly prot: number;
}

/**
 * Reads all areas of an iommufd context (drivers/iommu/iommufd, since 6.2): of each of its address spaces, by
 * their IOVA. No kernel that Debian builds has iommufd: this follows its source, and was run on built
 * memory only.
 *
 * @throws {KernelFormatError} if what is found is not what it should be: it changed, or is garbage
 */
export async function readIommufdAreas(
  reader: Reader,
  layouts: IommufdLayouts,
  context: bigint,
  options: ReadOptions = {},
): Promise<IommufdArea[]> {
  const areas: IommufdArea[] = [];
  for (const { ioas, id } of await readAddressSpaces(reader, layouts, context, options)) {
    areas.push(...await readAreasOf(reader, layouts, { ioas, id }, options));
  }
  return areas;
}

/** The address spaces of a context. */
export async function readAddressSpaces(
  reader: Reader,
  layouts: IommufdLayouts,
  context: bigint,
  options: ReadOptions = {},
): Promise<{ readonly ioas: bigint; readonly id: number }[]> {
  const { offsets } = layouts;
  const contexts = new StructReader("iommufd_ctx", { objects: 8 }, offsets);
  const array = context + contexts.offset("objects");
  const heads = new StructReader("xarray", { xa_head: 8 }, offsets);
  const head = (await heads.read(reader, array, options)).u64("xa_head");
  const found = await readXarray(reader, { array, head, most: MAX_OBJECTS }, options);
  const objects = new StructReader("iommufd_object", { type: 4, id: 4 }, offsets);
  const views = await objects.readAll(reader, found, options);
  const spaces = new StructReader("iommufd_ioas", { obj: 8, iopt: 8 }, offsets);
  return views.flatMap((view) => {
    if (view === null) throw new Changed("an object is gone");
    if (view.u32("type") !== layouts.values[IOAS_TYPE]) return [];
    return [{ ioas: view.address - spaces.offset("obj"), id: view.u32("id") }];
  });
}

/** The IOMMU's domains that a context's address spaces are mapped in: `struct iommu_domain`s. */
export async function readIommufdDomains(
  reader: Reader,
  layouts: IommufdLayouts,
  context: bigint,
  options: ReadOptions = {},
): Promise<bigint[]> {
  const { offsets } = layouts;
  const at = (member: string) => BigInt(offsets.get(member) ?? 0);
  const heads = new StructReader("xarray", { xa_head: 8 }, offsets);
  const domains: bigint[] = [];
  for (const { ioas } of await readAddressSpaces(reader, layouts, context, options)) {
    const array = ioas + at("iommufd_ioas.iopt") + at("io_pagetable.domains");
    const head = (await heads.read(reader, array, options)).u64("xa_head");
    domains.push(...await readXarray(reader, { array, head, most: MAX_OBJECTS }, options));
  }
  return domains;
}

async function readAreasOf(
  reader: Reader,
  { offsets, userType }: IommufdLayouts,
  { ioas, id }: { readonly ioas: bigint; readonly id: number },
  options: ReadOptions,
): Promise<IommufdArea[]> {
  const spaces = new StructReader("iommufd_ioas", { obj: 8, iopt: 8 }, offsets);
  const tables = new StructReader("io_pagetable", { area_itree: 8 }, offsets);
  const entries = new StructReader("iopt_area", AREA, offsets);
  const nodes = layoutOfNode(offsets);
  const table = await tables.read(reader, ioas + spaces.offset("iopt"), options);
  // struct rb_root_cached begins with the root.
  const root = table.u64("area_itree");

  const nodeOf = (view: AreaView): RbNode<Placed> => {
    const node = viewOf(view.bytes("node"));
    const pagesNode = viewOf(view.bytes("pages_node"));
    return {
      parent: node.getBigUint64(nodes.parent, true) & PARENT,
      left: node.getBigUint64(nodes.left, true),
      right: node.getBigUint64(nodes.right, true),
      value: {
        area: view.address,
        iova: node.getBigUint64(nodes.start, true),
        last: node.getBigUint64(nodes.last, true),
        pages: view.u64("pages"),
        startByte: pagesNode.getBigUint64(nodes.start, true) * PAGE_BYTES +
          BigInt(view.u32("page_offset")),
        prot: view.u32("iommu_prot"),
      },
    };
  };
  const placed = await readRbTree(root, async (addresses) => {
    const starts = addresses.map((address) => address - entries.offset("node") - nodes.rb);
    const views = await entries.readAll(reader, starts, options);
    return views.map((view) => {
      if (view === null) throw new Changed("an area is gone");
      return nodeOf(view);
    });
  });
  let next = 0n;
  for (const { area, iova, last } of placed) {
    if (iova < next || last < iova || last - iova > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new KernelFormatError("tree of iommufd's areas", "it does not ascend", area);
    }
    next = last + 1n;
  }

  // One without pages is just being mapped, or unmapped.
  const whole = placed.filter(({ pages }) => pages !== 0n);
  const hasType = offsets.has("iopt_pages.type");
  const members = hasType ? { ...PAGES, type: 4 } : PAGES;
  const pageSets = new StructReader<keyof typeof PAGES | "type">("iopt_pages", members, offsets);
  const views = await pageSets.readAll(reader, whole.map(({ pages }) => pages), options);
  return whole.map(({ area, iova, last, prot, startByte }, i) => {
    const pages = views[i];
    if (!pages) throw new Changed("an area's pages are gone");
    const lengthBytes = last - iova + 1n;
    const [count, pinned] = [pages.u64("npages"), pages.u64("npinned")];
    if (startByte + lengthBytes > count * PAGE_BYTES || pinned > count) {
      throw new KernelFormatError("pages of iommufd", "an area goes beyond them", area);
    }
    // Files since 6.13 (f4986a72d67c "iommufd: Add IOMMU_IOAS_MAP_FILE"'s series), devices' memory later.
    const isUser = !hasType || pages.u32("type") === userType;
    return {
      area,
      ioas: id,
      iova,
      address: isUser ? pages.u64("uptr") + startByte : null,
      lengthBytes,
      prot,
      pinnedPages: Number(pinned),
      task: pages.u64("source_task"),
      mm: pages.u64("source_mm"),
    };
  });
}

/** Where a `struct interval_tree_node` has its links and its bounds. */
function layoutOfNode(offsets: IommufdLayouts["offsets"]) {
  const node = new StructReader(
    "interval_tree_node",
    { rb: 24, start: 8, last: 8 },
    offsets,
  );
  const links = new StructReader(
    "rb_node",
    { __rb_parent_color: 8, rb_left: 8, rb_right: 8 },
    offsets,
  );
  const rb = Number(node.offset("rb"));
  return {
    rb: BigInt(rb),
    start: Number(node.offset("start")),
    last: Number(node.offset("last")),
    parent: rb + Number(links.offset("__rb_parent_color")),
    left: rb + Number(links.offset("rb_left")),
    right: rb + Number(links.offset("rb_right")),
  };
}
