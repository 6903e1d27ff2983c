import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed, untilWhole } from "./changed.ts";
import { CapabilityError } from "./errors.ts";
import { readCString, type Reader } from "./reader.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";
import {
  DMA_MEMBERS,
  DMA_OPTIONAL_MEMBERS,
  type DmaRange,
  readDmaRanges,
} from "./vfio_container.ts";
import { iommufdLayouts } from "./iommufd/layouts.ts";
import { type IommufdArea, readIommufdAreas, readIommufdDomains } from "./iommufd/read_areas.ts";
import type { FileOwner } from "./open_files.ts";
import { VfioFiles } from "./vfio_files.ts";
import { type DomainTables, NO_TABLES, readDomainTables, tablesOfDomains } from "./vfio_tables.ts";
import { type VfioKernel, VfioLayouts } from "./vfio_layouts.ts";

/**
 * Whose memory a mapping has pinned: that of the process that was asked about, of another one, of one
 * that has ended, or of a program that the process ran before it became another (exec). Of the last two
 * no page tables are left, and the frames stay pinned.
 */
export interface VfioMappingOwner {
  /** Which of these. */
  readonly kind: "self" | "other" | "ended" | "formerProgram";
  /** The process id. */
  readonly pid: number;
}

/** Memory that is mapped for DMA in a container that a process holds: one `VFIO_IOMMU_MAP_DMA`. */
export interface VfioMapping {
  /** Whose memory it is. */
  readonly owner: VfioMappingOwner;
  /** The first address as devices use it. */
  readonly iova: bigint;
  /**
   * The first virtual address in the process; null while the memory is changing owner
   * (`VFIO_DMA_UNMAP_FLAG_VADDR`), when the old address counts no longer.
   */
  readonly address: bigint | null;
  /** The length in bytes: a multiple of 4096. */
  readonly lengthBytes: number;
  /** May devices read it? */
  readonly readable: boolean;
  /** May devices write it? */
  readonly writable: boolean;
}

/** A container that a process holds, and the IOMMU's tables behind it. */
export interface VfioContainer {
  /** What is mapped in it, by whomever, in the order of the IOVAs. */
  readonly mappings: readonly VfioMapping[];
  /**
   * The virtual addresses in the kernel of the top tables in which the mappings stand; null if this kernel
   * does not tell.
   */
  readonly tables: readonly bigint[] | null;
  /** The virtual addresses of the kernel's `struct iommu_domain`s in which they stand. */
  readonly domains: readonly bigint[];
}

/** Whose mappings are looked for. */
export interface VfioOwner extends FileOwner {
  /** The process id. */
  readonly pid: number;
  /** The virtual address of its `mm_struct`. */
  readonly mm: bigint;
}

// include/linux/iommu.h: what the device may do.
const IOMMU_READ = 1;
const IOMMU_WRITE = 2;

const MAX_ATTEMPTS = 20;
const MAX_NAME_BYTES = 64;

const RB_MEMBERS = ["__rb_parent_color", "rb_left", "rb_right"] as const;

/** The members of a task that tell whether a mapping's memory is still there. */
const TASK_MEMBERS = { mm: 8, tgid: 4, exit_state: 4 } as const;

/**
 * Reads from the DMA list of the VFIO type1 driver which memory processes have mapped for DMA. The layouts
 * of its structures come from the type data of its modules, and are kept as long as those stay loaded.
 */
export class VfioMappings {
  readonly #kernel: VfioKernel;
  readonly #layouts: VfioLayouts;

  /** Prepares; nothing is read yet. */
  constructor(kernel: VfioKernel) {
    this.#kernel = kernel;
    this.#layouts = new VfioLayouts(kernel);
  }

  /**
   * The mappings in the containers that one process holds, in the order of these and of the IOVAs.
   *
   * @throws {CapabilityError} if the kernel's or its modules' types are not known, or the process uses
   * another driver than VFIO's type 1, or has too many files open
   * @throws {InconsistentListError} if the mappings change faster than they can be read
   */
  async of(owner: VfioOwner, options: ReadOptions = {}): Promise<VfioMapping[]> {
    return (await this.containersOf(owner, { ...options, withTables: false }))
      .flatMap(({ mappings }) => mappings);
  }

  /** The same by container, with the IOMMU's tables behind each. */
  async containersOf(
    owner: VfioOwner,
    { withTables = true, ...options }: ReadOptions & { withTables?: boolean } = {},
  ): Promise<VfioContainer[]> {
    const offsets = await this.#kernel.offsets("vfio");
    return await untilWhole(
      "The process's DMA mappings",
      MAX_ATTEMPTS,
      () => this.#readOnce(owner, offsets, withTables, options),
    );
  }

  async #readOnce(
    owner: VfioOwner,
    offsets: StructOffsets,
    withTables: boolean,
    options: ReadOptions,
  ): Promise<VfioContainer[]> {
    const held: VfioContainer[] = [];
    const files = new VfioFiles(this.#kernel, this.#layouts, offsets, options);
    for (const { kind, address, module, isHeld } of await files.containers(owner)) {
      const kept = kind === "iommufd"
        ? await this.#ofIommufd({ context: address, module }, withTables, options)
        : await this.#ofContainer({ container: address, module }, withTables, options);
      if (kept === null) continue;
      const { domains, ranges, tables } = kept;
      const owners = new OwnersOfMemory(this.#kernel.live, offsets, owner, options);
      const mappings = await Promise.all(
        ranges.filter(({ size }) => size > 0n).map(async (range) => ({
          ...mappingOf(range),
          owner: await owners.of(range),
        })),
      );
      if (!await isHeld()) throw new Changed("the container was closed");
      held.push({ mappings, tables, domains });
    }
    return held;
  }

  /** What a container of VFIO's keeps; null if nothing can be mapped in it yet. */
  async #ofContainer(
    { container, module }: { readonly container: bigint; readonly module: bigint },
    withTables: boolean,
    options: ReadOptions,
  ): Promise<Kept | null> {
    const driver = await this.#driverOf(container, module, options);
    if (driver === null) return null;
    const layouts = await this.#type1Layouts(driver.module);
    const { live } = this.#kernel;
    const ranges = await this.#agreed(() => readDmaRanges(live, layouts, driver.iommu, options));
    const behind = withTables
      ? await readDomainTables(this.#kernel, this.#layouts, driver, options)
      : NO_TABLES;
    return { ranges, ...behind };
  }

  /** What a context of iommufd keeps pinned: memory that no device is attached to is not. */
  async #ofIommufd(
    { context, module }: { readonly context: bigint; readonly module: bigint },
    withTables: boolean,
    options: ReadOptions,
  ): Promise<Kept> {
    const layouts = await iommufdLayouts(this.#layouts, module);
    const { live } = this.#kernel;
    const ranges = await this.#agreed(async () => {
      const areas = await readIommufdAreas(live, layouts, context, options);
      return areas.filter(({ pinnedPages }) => pinnedPages > 0).map(rangeOfArea);
    });
    if (!withTables) return { ranges, ...NO_TABLES };
    const domains = await readIommufdDomains(live, layouts, context, options);
    const tables = await tablesOfDomains(this.#kernel, this.#layouts, domains, options);
    return { ranges, tables, domains };
  }

  /** The type 1 driver's part of a `struct vfio_container`; null if it maps nothing. */
  async #driverOf(
    container: bigint,
    module: bigint,
    options: ReadOptions,
  ): Promise<{ module: bigint; iommu: bigint } | null> {
    const { live } = this.#kernel;
    const own = await this.#layouts.of(module, "vfio_container", ["iommu_driver", "iommu_data"]);
    const containers = new StructReader("vfio_container", { iommu_driver: 8, iommu_data: 8 }, own);
    const view = await containers.read(live, container, options);
    const [driver, iommu] = [view.u64("iommu_driver"), view.u64("iommu_data")];
    // Before VFIO_SET_IOMMU, and without an IOMMU, there is nothing to map.
    if (driver === 0n || iommu === 0n) return null;

    const drivers = new StructReader(
      "vfio_iommu_driver",
      { ops: 8 },
      await this.#layouts.of(module, "vfio_iommu_driver", ["ops"]),
    );
    const operations = new StructReader(
      "vfio_iommu_driver_ops",
      { name: 8, owner: 8 },
      await this.#layouts.of(module, "vfio_iommu_driver_ops", ["name", "owner"]),
    );
    const ops = await operations.read(
      live,
      (await drivers.read(live, driver, options)).u64("ops"),
      options,
    );
    const name = await readCString(live, ops.u64("name"), MAX_NAME_BYTES, options);
    if (name !== "vfio-iommu-type1") {
      throw new CapabilityError(
        "vfio",
        `A container of this guest maps memory by the driver ${JSON.stringify(name)}: ` +
          "only that of vfio-iommu-type1 can be read",
      );
    }
    return { module: ops.u64("owner"), iommu };
  }

  /**
   * What the first reading saw, the second confirms: a range that was reached again was on the tree all
   * the while, so that what was read of it the first time was not read from freed memory. The second
   * time it may have been: the allocator writes its own link into a range as it is freed, in the midst of
   * it (mm/slub.c), where its rights are.
   */
  async #agreed(read: () => Promise<DmaRange[]>): Promise<DmaRange[]> {
    const first = await read();
    const second = await read();
    if (first.length !== second.length || !first.every((range, i) => isSame(range, second[i]!))) {
      throw new Changed("memory is mapped or unmapped");
    }
    return first;
  }

  async #type1Layouts(module: bigint): Promise<StructOffsets> {
    const members = [...Object.keys(DMA_MEMBERS), ...Object.keys(DMA_OPTIONAL_MEMBERS)];
    const parts = [
      await this.#layouts.of(module, "vfio_iommu", ["dma_list"]),
      await this.#layouts.of(module, "vfio_dma", members),
      await this.#layouts.ofMember(module, ["vfio_dma", "node"], "rb_node", RB_MEMBERS),
    ];
    return new Map(parts.flatMap((part) => [...part]));
  }
}

/** What is mapped in a container, and the tables behind it. */
interface Kept extends DomainTables {
  readonly ranges: readonly DmaRange[];
}

const PAGE_BYTES = 4096n;

/**
 * An area of iommufd, as the type 1 driver would keep it: whole pages, since those are pinned. Memory of a
 * file has no address.
 */
function rangeOfArea({ area, iova, address, lengthBytes, prot, task, mm }: IommufdArea): DmaRange {
  const vaddr = address ?? 0n;
  const within = vaddr % PAGE_BYTES;
  return {
    dma: area,
    iova,
    vaddr: vaddr - within,
    size: (within + lengthBytes + PAGE_BYTES - 1n) / PAGE_BYTES * PAGE_BYTES,
    prot,
    vaddrInvalid: address === null,
    task,
    mm,
  };
}

/** The same range at two times. It grows while memory is being pinned, for minutes if there is much. */
function isSame({ size, ...range }: DmaRange, { size: later, ...again }: DmaRange): boolean {
  const names = Object.keys(range) as (keyof typeof range)[];
  return size <= later && names.every((name) => range[name] === again[name]);
}

/** Tells whose memory ranges are: a container may be inherited, handed on, or kept by another program. */
class OwnersOfMemory {
  readonly #reader: Reader;
  readonly #tasks: StructReader<keyof typeof TASK_MEMBERS>;
  readonly #asked: VfioOwner;
  readonly #options: ReadOptions;
  readonly #known = new Map<string, Promise<VfioMappingOwner>>();
  #threads: Promise<readonly bigint[]> | null = null;

  constructor(reader: Reader, offsets: StructOffsets, asked: VfioOwner, options: ReadOptions) {
    this.#reader = reader;
    this.#tasks = new StructReader("task_struct", TASK_MEMBERS, offsets);
    this.#asked = asked;
    this.#options = options;
  }

  of(range: DmaRange): Promise<VfioMappingOwner> {
    const key = `${range.mm} ${range.task}`;
    let owner = this.#known.get(key);
    if (!owner) this.#known.set(key, owner = this.#find(range));
    return owner;
  }

  async #find({ mm, task }: DmaRange): Promise<VfioMappingOwner> {
    const { pid } = this.#asked;
    const isOurs = task === this.#asked.task ||
      mm !== this.#asked.mm && (await (this.#threads ??= this.#asked.threads())).includes(task);
    if (mm === null ? isOurs : mm === this.#asked.mm) return { kind: "self", pid };
    // The driver keeps the task from being freed.
    const view = await this.#tasks.read(this.#reader, task, this.#options);
    const isAlive = view.u64("mm") !== 0n && (mm === null || view.u64("mm") === mm);
    if (isAlive) return { kind: "other", pid: view.u32("tgid") };
    const hasEnded = view.u64("mm") === 0n && view.u32("exit_state") !== 0;
    return { kind: hasEnded ? "ended" : "formerProgram", pid: isOurs ? pid : view.u32("tgid") };
  }
}

function mappingOf(
  { iova, prot, size, vaddr, vaddrInvalid }: DmaRange,
): Omit<VfioMapping, "owner"> {
  return {
    iova,
    address: vaddrInvalid ? null : vaddr,
    lengthBytes: Number(size),
    readable: Boolean(prot & IOMMU_READ),
    writable: Boolean(prot & IOMMU_WRITE),
  };
}
