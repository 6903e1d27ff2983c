import type { ReadOptions } from "../memory/physical_memory.ts";
import type { BtfBlob } from "./btf/btf_source.ts";
import { Changed, untilWhole } from "./changed.ts";
import { CapabilityError } from "./errors.ts";
import { readModuleTypes } from "./module_types.ts";
import { type OpenFile, readOpenFiles } from "./open_files.ts";
import { readCString, type Reader, readU64 } from "./reader.ts";
import { structOffsets } from "./struct_offsets.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";
import {
  DMA_MEMBERS,
  DMA_OPTIONAL_MEMBERS,
  type DmaRange,
  readDmaRanges,
} from "./vfio_container.ts";

/** Memory of a process that it has mapped for DMA by VFIO: one `VFIO_IOMMU_MAP_DMA`. */
export interface VfioMapping {
  /** The first address as devices use it. */
  readonly iova: bigint;
  /**
   * The first virtual address in the process; null while the memory is handed over to another program
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

/** What is known of the kernel. */
export interface VfioKernel {
  /** Reads memory as it is now. */
  readonly live: Reader;
  /** Where the members of what files are made of lie. */
  offsets(group: "vfio"): Promise<StructOffsets>;
  /** The kernel's own types; null if they are not known. */
  types(): Promise<BtfBlob | null>;
  /** The address of a symbol; null if there is none. */
  address(name: string): Promise<bigint | null>;
  /** A 64-bit variable; null if there is none. */
  variable(name: string): Promise<bigint | null>;
}

/** Whose mappings are looked for. */
export interface VfioOwner {
  /** The process id. */
  readonly pid: number;
  /** The virtual address of its first thread's `task_struct`. */
  readonly task: bigint;
  /** The same of all its threads: read only where the first does not tell. */
  threads(): Promise<readonly bigint[]>;
  /** The virtual address of its `mm_struct`. */
  readonly mm: bigint;
}

// include/linux/iommu.h: what the device may do.
const IOMMU_READ = 1;
const IOMMU_WRITE = 2;

// Documentation/admin-guide/devices.txt: character device 10:196 is /dev/vfio/vfio; the others of
// major 10 that matter here, such as /dev/iommu, have any number.
const MISC_MAJOR = 10;
const VFIO_MINOR = 196;
const S_IFMT = 0xf000;
const S_IFCHR = 0x2000;

const MAX_ATTEMPTS = 20;
const MAX_NAME_BYTES = 64;
/** MODULE_NAME_LEN on 64 bits (include/linux/moduleparam.h). */
const MODULE_NAME_BYTES = 56;

/** What a file of a process is to VFIO. */
type Door = { readonly kind: "container"; readonly module: bigint } | { readonly kind: "iommufd" };
/** The driver behind a file: its module, or 0 if it is built into the kernel. */
type Driver = { readonly name: "vfio" | "iommufd"; readonly module: bigint };

/**
 * Reads from the books of the VFIO type 1 driver which memory processes have mapped for DMA. The layouts
 * of its structures come from the type data of its modules, and are kept as long as those stay loaded.
 */
export class VfioMappings {
  readonly #kernel: VfioKernel;
  /** By what finds them: the address of the module and the struct's name. */
  readonly #layouts = new Map<string, Promise<StructOffsets>>();
  readonly #types = new Map<bigint, Promise<BtfBlob | null>>();

  /** Prepares; nothing is read yet. */
  constructor(kernel: VfioKernel) {
    this.#kernel = kernel;
  }

  /**
   * The mappings of one process, in the order of the containers that it holds open and of their IOVAs.
   *
   * @throws {CapabilityError} if the kernel's or its modules' types are not known, or the process uses
   * another driver than VFIO's type 1, or has too many files open
   * @throws {InconsistentListError} if the mappings change faster than they can be read
   */
  async of(owner: VfioOwner, options: ReadOptions = {}): Promise<VfioMapping[]> {
    const offsets = await this.#kernel.offsets("vfio");
    return await untilWhole(
      "The process's DMA mappings",
      MAX_ATTEMPTS,
      () => this.#readOnce(owner, offsets, options),
    );
  }

  async #readOnce(
    owner: VfioOwner,
    offsets: StructOffsets,
    options: ReadOptions,
  ): Promise<VfioMapping[]> {
    const mappings: VfioMapping[] = [];
    const seen = new Set<bigint>();
    const doors = new Map<bigint, Promise<Driver | null>>();
    for (const file of await this.#filesOf(owner, offsets, options)) {
      let driver = doors.get(file.operations);
      if (!driver) {
        driver = this.#driverOf(file.operations, offsets, options);
        doors.set(file.operations, driver);
      }
      const door = await this.#doorOf(file, await driver, offsets, options);
      if (door?.kind === "iommufd") throw behindIommufd(owner);
      if (!door || seen.has(file.privateData)) continue;
      seen.add(file.privateData);
      const ranges = await this.#rangesOf(file.privateData, door.module, options);
      // Only what is open cannot have been freed meanwhile.
      if (await readU64(this.#kernel.live, file.slot, options) !== file.file) {
        throw new Changed("the container was closed");
      }
      for (const range of ranges) {
        if (range.size > 0n && await isOf(range, owner)) mappings.push(mappingOf(range));
      }
    }
    return mappings;
  }

  /** The files of the first thread that has some: the others share them, but one may have ended. */
  async #filesOf(
    owner: VfioOwner,
    offsets: StructOffsets,
    options: ReadOptions,
  ): Promise<OpenFile[]> {
    const read = (task: bigint) => readOpenFiles(this.#kernel.live, offsets, task, options);
    const files = await read(owner.task);
    if (files.length > 0) return files;
    for (const task of await owner.threads()) {
      const files = await read(task);
      if (files.length > 0) return files;
    }
    return [];
  }

  /** The driver behind a file, if it is one of those that map memory for DMA. */
  async #driverOf(
    operations: bigint,
    offsets: StructOffsets,
    options: ReadOptions,
  ): Promise<Driver | null> {
    const { live } = this.#kernel;
    const owners = new StructReader("file_operations", { owner: 8 }, offsets);
    const module = (await owners.read(live, operations, options)).u64("owner");
    if (module === 0n) {
      if (operations === await this.#kernel.address("vfio_fops")) return { name: "vfio", module };
      const isIommufd = operations === await this.#kernel.address("iommufd_fops");
      return isIommufd ? { name: "iommufd", module } : null;
    }
    const names = new StructReader("module", { name: MODULE_NAME_BYTES }, offsets);
    const name = (await names.read(live, module, options)).text("name");
    return name === "vfio" || name === "iommufd" ? { name, module } : null;
  }

  /** Tells the container from the groups and devices of the same driver, by its device's number. */
  async #doorOf(
    { inode, privateData }: OpenFile,
    driver: Driver | null,
    offsets: StructOffsets,
    options: ReadOptions,
  ): Promise<Door | null> {
    if (!driver) return null;
    const inodes = new StructReader("inode", { i_mode: 2, i_rdev: 4 }, offsets);
    const view = await inodes.read(this.#kernel.live, inode, options);
    const device = view.u32("i_rdev");
    const isMisc = (view.u32("i_mode") & S_IFMT) === S_IFCHR && device >>> 20 === MISC_MAJOR;
    if (!isMisc) return null;
    if (driver.name === "iommufd") return { kind: "iommufd" };
    const isContainer = (device & 0xf_ffff) === VFIO_MINOR && privateData !== 0n;
    return isContainer ? { kind: "container", module: driver.module } : null;
  }

  /** All that a `struct vfio_container` has mapped, whoever mapped it. */
  async #rangesOf(
    container: bigint,
    module: bigint,
    options: ReadOptions,
  ): Promise<readonly DmaRange[]> {
    const { live } = this.#kernel;
    const own = await this.#layout(module, "vfio_container", ["iommu_driver", "iommu_data"]);
    const containers = new StructReader("vfio_container", { iommu_driver: 8, iommu_data: 8 }, own);
    const view = await containers.read(live, container, options);
    const [driver, iommu] = [view.u64("iommu_driver"), view.u64("iommu_data")];
    // Before VFIO_SET_IOMMU, and without an IOMMU, there is nothing to map.
    if (driver === 0n || iommu === 0n) return [];

    const drivers = new StructReader(
      "vfio_iommu_driver",
      { ops: 8 },
      await this.#layout(module, "vfio_iommu_driver", ["ops"]),
    );
    const operations = new StructReader(
      "vfio_iommu_driver_ops",
      { name: 8, owner: 8 },
      await this.#layout(module, "vfio_iommu_driver_ops", ["name", "owner"]),
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
    const layouts = await this.#type1Layouts(ops.u64("owner"));
    return await this.#agreed(() => readDmaRanges(live, layouts, iommu, options));
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
      await this.#layout(module, "vfio_iommu", ["dma_list"]),
      await this.#layout(module, "vfio_dma", members),
      await this.#layout(0n, "rb_node", ["__rb_parent_color", "rb_left", "rb_right"]),
    ];
    return new Map(parts.flatMap((part) => [...part]));
  }

  #layout(module: bigint, struct: string, members: readonly string[]): Promise<StructOffsets> {
    const key = `${module} ${struct}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#findLayout(module, struct, members);
      this.#layouts.set(key, layout);
      // A failure may come from a module that was just being loaded.
      layout.catch(() => this.#layouts.delete(key));
    }
    return layout;
  }

  /** From the kernel's own types, where the driver is built in, or else its module's. */
  async #findLayout(
    module: bigint,
    struct: string,
    members: readonly string[],
  ): Promise<StructOffsets> {
    const core = await this.#kernel.types();
    const found = core && (await structOffsets([core], struct, members) ??
      await this.#moduleLayout(core, module, struct, members));
    if (!found) {
      throw new CapabilityError(
        "types",
        `The types of this kernel's VFIO modules are not known (no struct ${struct}): they are kept ` +
          "from 5.11 on, with CONFIG_DEBUG_INFO_BTF_MODULES",
      );
    }
    return found;
  }

  async #moduleLayout(
    core: BtfBlob,
    module: bigint,
    struct: string,
    members: readonly string[],
  ): Promise<StructOffsets | null> {
    if (module === 0n) return null;
    let types = this.#types.get(module);
    if (!types) {
      types = this.#readTypes(core, module);
      this.#types.set(module, types);
      types.catch(() => this.#types.delete(module));
    }
    const blob = await types;
    return blob && await structOffsets([blob], struct, members);
  }

  async #readTypes(core: BtfBlob, module: bigint): Promise<BtfBlob | null> {
    const list = await this.#kernel.address("btf_modules");
    const coreBtf = await this.#kernel.variable("btf_vmlinux");
    if (list === null || coreBtf === null) return null;
    return await readModuleTypes({ reader: this.#kernel.live, core, coreBtf, list }, module);
  }
}

/** The same range at two times. It grows while memory is being pinned, for minutes if there is much. */
function isSame({ size, ...range }: DmaRange, { size: later, ...again }: DmaRange): boolean {
  const names = Object.keys(range) as (keyof typeof range)[];
  return size <= later && names.every((name) => range[name] === again[name]);
}

/** A container may be inherited, or handed on: what another process mapped is not this one's memory. */
async function isOf({ mm, task }: DmaRange, owner: VfioOwner): Promise<boolean> {
  if (mm !== null) return mm === owner.mm;
  return task === owner.task || (await owner.threads()).includes(task);
}

function mappingOf({ iova, prot, size, vaddr, vaddrInvalid }: DmaRange): VfioMapping {
  return {
    iova,
    address: vaddrInvalid ? null : vaddr,
    lengthBytes: Number(size),
    readable: Boolean(prot & IOMMU_READ),
    writable: Boolean(prot & IOMMU_WRITE),
  };
}

function behindIommufd({ pid }: VfioOwner): CapabilityError {
  return new CapabilityError(
    "vfio",
    `Process ${pid} maps memory for DMA by iommufd (/dev/iommu), whose books pagewalk does not ` +
      "read: only those of VFIO's type 1 driver",
  );
}
