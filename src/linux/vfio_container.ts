import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed } from "./changed.ts";
import { KernelFormatError } from "./errors.ts";
import { type RbNode, readRbTree } from "./rb_tree.ts";
import { type Reader, viewOf } from "./reader.ts";
import { type StructOffsets, StructReader, type StructView } from "./struct_reader.ts";

/** A range that the type 1 driver keeps: one `VFIO_IOMMU_MAP_DMA`, a `struct vfio_dma`. */
export interface DmaRange {
  /** The virtual address of its `struct vfio_dma`. */
  readonly dma: bigint;
  /** Its first address on the device's side. */
  readonly iova: bigint;
  /** Its first virtual address. */
  readonly vaddr: bigint;
  /** Its length in bytes; 0 while it is being pinned. */
  readonly size: bigint;
  /** `IOMMU_READ` and `IOMMU_WRITE`, as seen by the device. */
  readonly prot: number;
  /** Has `VFIO_DMA_UNMAP_FLAG_VADDR` taken the virtual address away? */
  readonly vaddrInvalid: boolean;
  /** The first thread of the process that mapped it. */
  readonly task: bigint;
  /** That process's memory; null where only the thread is kept. */
  readonly mm: bigint | null;
}

/** The members of `struct vfio_dma`; the last two are not in every kernel. */
export const DMA_MEMBERS = { node: 24, iova: 8, vaddr: 8, size: 8, prot: 4, task: 8 } as const;
/**
 * Since 5.12 ("vfio/type1: implement interfaces to update vaddr"), and since 6.3 and in stable kernels
 * before it ("vfio/type1: prevent underflow of locked_vm via exec()").
 */
export const DMA_OPTIONAL_MEMBERS = { vaddr_invalid: 1, mm: 8 } as const;
type DmaMember = keyof typeof DMA_MEMBERS | keyof typeof DMA_OPTIONAL_MEMBERS;

/** The two lowest bits of `__rb_parent_color` are not part of the address (include/linux/rbtree.h). */
const PARENT = BigInt.asUintN(64, ~3n);

/**
 * Reads all ranges of a `struct vfio_iommu` (drivers/vfio/vfio_iommu_type1.c), by their IOVA.
 *
 * @throws {KernelFormatError} if they do not form a tree that ascends: it changed, or is garbage
 */
export async function readDmaRanges(
  reader: Reader,
  offsets: StructOffsets,
  iommu: bigint,
  options: ReadOptions = {},
): Promise<DmaRange[]> {
  const optional = Object.entries(DMA_OPTIONAL_MEMBERS)
    .filter(([name]) => offsets.has(`vfio_dma.${name}`));
  const members = { ...DMA_MEMBERS, ...Object.fromEntries(optional) } as Record<DmaMember, number>;
  const entries = new StructReader("vfio_dma", members, offsets);
  const link = new StructReader(
    "rb_node",
    { __rb_parent_color: 8, rb_left: 8, rb_right: 8 },
    offsets,
  );
  const iommus = new StructReader("vfio_iommu", { dma_list: 8 }, offsets);
  const root = (await iommus.read(reader, iommu, options)).u64("dma_list");

  function nodeOf(view: StructView<DmaMember>): RbNode<DmaRange> {
    const node = viewOf(view.bytes("node"));
    const at = (name: "__rb_parent_color" | "rb_left" | "rb_right") =>
      node.getBigUint64(Number(link.offset(name)), true);
    return {
      parent: at("__rb_parent_color") & PARENT,
      left: at("rb_left"),
      right: at("rb_right"),
      value: rangeOf(view, offsets),
    };
  }

  async function readNodes(addresses: readonly bigint[]): Promise<RbNode<DmaRange>[]> {
    const starts = addresses.map((address) => address - entries.offset("node"));
    const views = await entries.readAll(reader, starts, options);
    return views.map((view) => {
      if (view === null) throw new Changed("a DMA mapping is gone");
      return nodeOf(view);
    });
  }

  const ranges = await readRbTree(root, readNodes);
  let end = 0n;
  for (const range of ranges) {
    const { dma, iova, size } = range;
    if (iova < end || iova + size > 1n << 64n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new KernelFormatError("list of DMA mappings", "it does not ascend", dma);
    }
    end = iova + size;
  }
  return ranges;
}

function rangeOf(view: StructView<DmaMember>, offsets: StructOffsets): DmaRange {
  return {
    dma: view.address,
    iova: view.u64("iova"),
    vaddr: view.u64("vaddr"),
    size: view.u64("size"),
    prot: view.u32("prot"),
    vaddrInvalid: offsets.has("vfio_dma.vaddr_invalid") && view.u32("vaddr_invalid") !== 0,
    task: view.u64("task"),
    mm: offsets.has("vfio_dma.mm") ? view.u64("mm") : null,
  };
}
