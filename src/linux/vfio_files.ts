import { FILE_MODE } from "./file_abi.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import { type FileOwner, type OpenFile, readFilesOfThreads } from "./open_files.ts";
import { readU64 } from "./reader.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";
import type { VfioKernel, VfioLayouts } from "./vfio_layouts.ts";

/** What keeps mappings: a container of VFIO's, or a context of iommufd. */
interface Keeper {
  /** Which of these. */
  readonly kind: "vfio" | "iommufd";
  /** The virtual address of its `struct vfio_container` or `struct iommufd_ctx`; 0 for none. */
  readonly address: bigint;
}

/** A container that a process holds, and how. */
export interface HeldContainer extends Keeper {
  /** The module of that kind; 0 if it is built into the kernel. */
  readonly module: bigint;
  /** Is it still held by the same open file? */
  isHeld(): Promise<boolean>;
}

// Documentation/admin-guide/devices.txt: character device 10:196 is /dev/vfio/vfio; the others of
// major 10 that matter here, such as /dev/iommu, have any number.
const MISC_MAJOR = 10;
const VFIO_MINOR = 196;
/** MODULE_NAME_LEN on 64 bits (include/linux/moduleparam.h). */
const MODULE_NAME_BYTES = 56;

/** The driver behind a file: its module, or 0 if it is built into the kernel. */
type Driver = { readonly name: "vfio" | "iommufd"; readonly module: bigint };

/**
 * Finds the VFIO containers that a process holds: by the container itself, by a group in it, or by a
 * device of such a group. Each keeps what is mapped, when all others are closed.
 */
export class VfioFiles {
  readonly #kernel: VfioKernel;
  readonly #layouts: VfioLayouts;
  readonly #offsets: StructOffsets;
  readonly #options: ReadOptions;
  readonly #inodes: StructReader<"i_mode" | "i_rdev" | "i_cdev">;

  constructor(
    kernel: VfioKernel,
    layouts: VfioLayouts,
    offsets: StructOffsets,
    options: ReadOptions,
  ) {
    this.#kernel = kernel;
    this.#layouts = layouts;
    this.#offsets = offsets;
    this.#options = options;
    this.#inodes = new StructReader("inode", { i_mode: 2, i_rdev: 4, i_cdev: 8 }, offsets);
  }

  /**
   * The containers of a process, each once, in the order of its files.
   *
   * @throws {CapabilityError} if it has too many files open
   */
  async containers(owner: FileOwner): Promise<HeldContainer[]> {
    const drivers = new Map<bigint, Promise<Driver | null>>();
    const found = new Map<bigint, HeldContainer>();
    const { live } = this.#kernel;
    for (const file of await readFilesOfThreads(live, this.#offsets, owner, this.#options)) {
      let driver = drivers.get(file.operations);
      if (!driver) drivers.set(file.operations, driver = this.#driverOf(file.operations));
      const read = await this.#keeperBehind(file, await driver);
      const keeper = await read?.();
      if (!keeper || keeper.address === 0n || found.has(keeper.address)) continue;
      // Only what is open cannot have been freed meanwhile.
      const isHeld = async () =>
        await readU64(this.#kernel.live, file.slot, this.#options) === file.file &&
        (await read!()).address === keeper.address;
      const isDrivers = (await driver)!.name === keeper.kind;
      const module = isDrivers ? (await driver)!.module : await this.#moduleOf(keeper.kind);
      found.set(keeper.address, { ...keeper, module, isHeld });
    }
    return [...found.values()];
  }

  /** How to come from a file to what keeps its mappings, now and again; null if it has none. */
  async #keeperBehind(
    { inode, privateData }: OpenFile,
    driver: Driver | null,
  ): Promise<(() => Promise<Keeper>) | null> {
    if (!driver || privateData === 0n) return null;
    const view = await this.#inodes.read(this.#kernel.live, inode, this.#options);
    const device = view.u32("i_rdev");
    const isDevice = (view.u32("i_mode") & FILE_MODE.TYPE_MASK) === FILE_MODE.CHARACTER_DEVICE;
    const { module, name: kind } = driver;
    if (isDevice && device >>> 20 === MISC_MAJOR) {
      // iommufd stands in for /dev/vfio/vfio, too (CONFIG_IOMMUFD_VFIO_CONTAINER).
      const isKeeper = kind === "iommufd" || (device & 0xf_ffff) === VFIO_MINOR;
      return isKeeper ? () => Promise.resolve({ kind, address: privateData }) : null;
    }
    if (kind !== "vfio") return null;
    // A device's file is an anonymous inode, a group's a character device.
    if (!isDevice) return () => this.#ofDevice(module, privateData);
    const groups = await this.#layouts.of(module, "vfio_group", ["container", "cdev"]);
    const cdev = groups.get("vfio_group.cdev");
    // A device that is opened by its own number belongs to iommufd.
    const isGroup = cdev === undefined || view.u64("i_cdev") === privateData + BigInt(cdev);
    return isGroup
      ? () => this.#ofGroup(module, privateData)
      : () => this.#iommufdOf(module, "vfio_device_file", privateData);
  }

  async #ofGroup(module: bigint, group: bigint): Promise<Keeper> {
    const container = await this.#pointer(module, "vfio_group", "container", group) ?? 0n;
    if (container !== 0n) return { kind: "vfio", address: container };
    return await this.#iommufdOf(module, "vfio_group", group);
  }

  async #ofDevice(module: bigint, privateData: bigint): Promise<Keeper> {
    // Since 6.5 a file has a structure of its own (b1a3b5c61da1 "vfio: Allocate per device file
    // structure").
    const own = await this.#layouts.find(module, "vfio_device_file", ["device"]);
    const device = own
      ? await this.#pointer(module, "vfio_device_file", "device", privateData) ?? 0n
      : privateData;
    const group = await this.#pointer(module, "vfio_device", "group", device);
    return group ? await this.#ofGroup(module, group) : { kind: "vfio", address: 0n };
  }

  /** The context that a group or a device's file is bound to (`iommufd`). */
  async #iommufdOf(module: bigint, struct: string, address: bigint): Promise<Keeper> {
    const known = await this.#layouts.find(module, struct, ["iommufd"]);
    const context = known && await this.#pointer(module, struct, "iommufd", address);
    return { kind: "iommufd", address: context ?? 0n };
  }

  /** The module of a kind that was found from another one's file. */
  #moduleOf(kind: Keeper["kind"]): Promise<bigint> {
    return this.#layouts.moduleNamed(kind, (module) => this.#nameOf(module));
  }

  /** A pointer in a structure of the driver's; null if this kernel has no such member. */
  async #pointer(
    module: bigint,
    struct: string,
    member: string,
    address: bigint,
  ): Promise<bigint | null> {
    const layout = await this.#layouts.of(module, struct, [member]);
    const at = layout.get(`${struct}.${member}`);
    if (at === undefined) return null;
    return await readU64(this.#kernel.live, address + BigInt(at), this.#options);
  }

  /** The driver behind a file, if it is one of those that map memory for DMA. */
  async #driverOf(operations: bigint): Promise<Driver | null> {
    const { live } = this.#kernel;
    const owners = new StructReader("file_operations", { owner: 8 }, this.#offsets);
    const module = (await owners.read(live, operations, this.#options)).u64("owner");
    if (module === 0n) {
      if (operations === await this.#kernel.address("vfio_fops")) return { name: "vfio", module };
      const isIommufd = operations === await this.#kernel.address("iommufd_fops");
      return isIommufd ? { name: "iommufd", module } : null;
    }
    const name = await this.#nameOf(module);
    return name === "vfio" || name === "iommufd" ? { name, module } : null;
  }

  async #nameOf(module: bigint): Promise<string> {
    const names = new StructReader("module", { name: MODULE_NAME_BYTES }, this.#offsets);
    return (await names.read(this.#kernel.live, module, this.#options)).text("name");
  }
}
