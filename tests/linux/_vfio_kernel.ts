import { BtfBlob } from "../../src/linux/btf/btf_source.ts";
import type { Reader } from "../../src/linux/reader.ts";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";
import type { VfioKernel } from "../../src/linux/vfio_layouts.ts";
import type { VfioOwner } from "../../src/linux/vfio_mappings.ts";
import { btfBytes, CORE, IOMMUFD, IOMMUFD_ENUMS, TYPE1, VFIO } from "./_btf_bytes.ts";
import { BASE } from "./_hostile.ts";

const OFFSETS = new Map(Object.entries({
  "task_struct.files": 0,
  "task_struct.mm": 8,
  "task_struct.tgid": 16,
  "task_struct.exit_state": 20,
  "files_struct.fdt": 0,
  "files_struct.count": 8,
  "fdtable.max_fds": 0,
  "fdtable.fd": 8,
  "file.f_op": 0,
  "file.f_inode": 8,
  "file.private_data": 16,
  "inode.i_mode": 0,
  "inode.i_rdev": 4,
  "inode.i_cdev": 8,
  "file_operations.owner": 0,
  "module.name": 8,
}));

/** A range for DMA, as the driver keeps it. */
export interface FakeRange {
  iova: bigint;
  vaddr: bigint;
  size: bigint;
  prot?: number;
  vaddrInvalid?: boolean;
  mm?: bigint;
  /** The process that mapped it, if not the one that holds the container. */
  by?: { pid: number; mm: bigint; exitState?: number };
  /** Of iommufd: is it memory of a file? */
  isFile?: boolean;
  /** Of iommufd: how many of its pages are pinned, if not all. */
  pinned?: number;
}

/** What differs from a process with one container of the type 1 driver. */
export interface FakeKernelOptions {
  ranges?: readonly FakeRange[];
  /** The name of the module behind the file. */
  module?: string;
  /** The device's number, major and minor. */
  device?: readonly [number, number];
  /** What of VFIO the process holds open. */
  holds?:
    | "container"
    | "group"
    | "device"
    | "device by number"
    | "iommufd"
    | "group of iommufd"
    | "device of iommufd";
  /** Does another thread hold it, in a table of files of its own? */
  byThread?: boolean;
  /** The name of the driver that maps memory. */
  driver?: string;
  /** Are the modules' types kept? */
  hasModuleTypes?: boolean;
  /** Added to where the modules' types say that they begin. */
  typesOff?: number;
}

/** A `struct iommu_domain`. */
export const DOMAIN = BASE + 0x9_0000n;
export const OWN_MM = BASE + 0x8_0000n;

/** A kernel's memory with a process that holds a VFIO container, as far as finding mappings reads it. */
export class FakeKernel implements VfioKernel {
  readonly #bytes = new Uint8Array(1 << 20);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #core = new BtfBlob(btfBytes(CORE));
  readonly #symbols = new Map<string, bigint>();
  #next = 64;
  /** The process. */
  readonly owner: VfioOwner;
  /** Where its table of files has the container. */
  readonly slot: bigint;
  /** Where the root of the tree is. */
  readonly root: bigint;
  /** The nodes of the tree, in the order of the ranges. */
  readonly nodes: bigint[] = [];
  /** How often memory was read. */
  reads = 0;
  /** Called before each read. */
  beforeRead: (() => void) | null = null;

  constructor(options: FakeKernelOptions = {}) {
    const { ranges = [], module = "vfio", device = [10, 196], driver = "vfio-iommu-type1" } =
      options;
    const modules = [
      this.#module(module),
      this.#module("vfio_iommu_type1"),
      this.#module("iommufd"),
    ] as const;
    const coreBtf = this.allocate(64);
    this.#symbols.set("btf_vmlinux", this.#words(coreBtf));
    if (options.hasModuleTypes !== false) {
      this.#keepTypes(modules, coreBtf, options.typesOff ?? 0);
    }
    const type1 = this.#words(this.#text(driver), modules[1]);
    const iommu = this.allocate(64);
    this.root = iommu + BigInt(TYPE1.vfio_iommu.dma_list);
    const container = this.#words(0n, 0n, this.#words(type1), iommu);
    const group = this.#words(0n, container, 0n);
    const context = this.allocate(64);
    const [inode, held] = {
      iommufd: () => [this.#inode(0x2000n, [10, 124]), context],
      "group of iommufd": () => {
        const bound = this.#words(0n, 0n, 0n, context);
        return [this.#inode(0x2000n, [240, 2], bound + 16n), bound];
      },
      "device of iommufd": () => [
        this.#inode(0x2000n, [240, 3], BASE),
        this.#words(this.#words(0n, 0n), context),
      ],
      container: () => [this.#inode(0x2000n, device), container],
      group: () => [this.#inode(0x2000n, [240, 2], group + 16n), group],
      device: () => [this.#inode(0n, [0, 0]), this.#words(this.#words(0n, group), 0n)],
      "device by number": () => [this.#inode(0x2000n, [240, 3], BASE), this.#words(0n, 0n)],
    }[options.holds ?? "container"]() as [bigint, bigint];
    const isContext = options.holds === "iommufd";
    const file = this.#words(this.#words(modules[isContext ? 2 : 0]), inode, held);
    this.slot = this.#words(0n, file, 0n, file);
    const task = this.#words(this.#words(this.#words(4n, this.slot), 1n), OWN_MM, 84n);
    this.slot += 8n;
    const threads = [task];
    if (options.byThread) {
      const empty = this.#words(this.#words(0n, 0n), 1n);
      threads.unshift(this.#words(empty, OWN_MM, 84n));
    }
    this.owner = {
      pid: 84,
      task: threads[0]!,
      threadCount: threads.length,
      mm: OWN_MM,
      threads: () => Promise.resolve(threads),
    };
    if (options.holds?.includes("iommufd")) {
      this.root = this.#context(context) + 32n + 40n;
      for (const range of ranges) this.nodes.push(this.#area(range, task));
    } else {
      for (const range of ranges) this.nodes.push(this.#range(range, task));
    }
    this.write(this.root, this.#tree(0, ranges.length, 0n));
  }

  /** A context of iommufd with a device, a slot that is only reserved, and an address space: the last. */
  #context(context: bigint): bigint {
    const array = context + 16n;
    const device = this.#words(1n << 32n, 1n);
    const ioas = this.allocate(128);
    this.write(ioas, 4n << 32n);
    this.write(ioas + 8n, 3n);
    const node = this.allocate(40 + 64 * 8);
    this.write(node + 16n, array);
    this.write(node + 40n + 8n, device);
    this.write(node + 40n + 16n, 1030n);
    this.write(node + 40n + 24n, ioas);
    this.write(array + 8n, node + 2n);
    // One domain: an entry for index 0 is in the head itself.
    this.write(ioas + 32n + 8n + 8n, DOMAIN);
    return ioas;
  }

  /** An area and its pages, which begin two pages before it; its node's address. */
  #area({ iova, vaddr, size, prot = 3, mm = OWN_MM, by, isFile, pinned }: FakeRange, task: bigint) {
    const count = (vaddr % 4096n + size + 4095n) / 4096n + 2n;
    const mapper = by
      ? this.#words(0n, by.mm, BigInt(by.pid) | BigInt(by.exitState ?? 0) << 32n)
      : task;
    const start = vaddr - vaddr % 4096n - 8192n;
    const pages = this.#words(
      ...[0n, count, BigInt(pinned ?? count), mapper, by?.mm ?? mm, isFile ? 1n : 0n, start],
    );
    const area = this.allocate(128);
    const words: [number, bigint][] = [
      ...[[32, iova], [40, iova + size - 1n], [80, 2n], [88, count - 1n], [104, pages]] as const,
      [112, vaddr % 4096n | BigInt(prot) << 32n],
    ].map(([at, word]) => [Number(at), BigInt(word!)]);
    for (const [at, word] of words) this.write(area + BigInt(at), word);
    return area + 8n;
  }

  readonly live: Reader = {
    // deno-lint-ignore require-await -- errors are rejections
    read: async (address, lengthBytes) => {
      this.reads++;
      this.beforeRead?.();
      const start = Number(address - BASE);
      if (address < BASE || start + lengthBytes > this.#bytes.length) {
        throw new MemoryReadError("outsideRam", address, lengthBytes);
      }
      return this.#bytes.slice(start, start + lengthBytes);
    },
  };

  offsets(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(OFFSETS);
  }

  types: VfioKernel["types"] = {
    all: () => Promise.resolve(this.#core),
    base: () => Promise.resolve(this.#core),
    strings: () => Promise.reject(new Error("they are in the types")),
    given: [],
  };

  address(name: string): Promise<bigint | null> {
    return Promise.resolve(this.#symbols.get(name) ?? null);
  }

  async variable(name: string): Promise<bigint | null> {
    const address = await this.address(name);
    return address && this.#view.getBigUint64(Number(address - BASE), true);
  }

  /** Gives the kernel one symbol more. */
  addSymbol(name: string): void {
    this.#symbols.set(name, this.allocate(8));
  }

  /** Writes a 64-bit number. */
  write(address: bigint, value: bigint): void {
    this.#view.setBigUint64(Number(address - BASE), value, true);
  }

  /** Takes zeroed memory. */
  allocate(lengthBytes: number): bigint {
    const address = BASE + BigInt(this.#next);
    this.#next += lengthBytes + 15 & ~15;
    return address;
  }

  #words(...words: bigint[]): bigint {
    const address = this.allocate(words.length * 8);
    words.forEach((word, i) => this.write(address + BigInt(i * 8), word));
    return address;
  }

  #put(bytes: Uint8Array): bigint {
    const address = this.allocate(bytes.length);
    this.#bytes.set(bytes, Number(address - BASE));
    return address;
  }

  #text(text: string): bigint {
    return this.#put(new TextEncoder().encode(`${text}\0`));
  }

  #inode(mode: bigint, [major, minor]: readonly [number, number], cdev = 0n): bigint {
    return this.#words(mode | BigInt(major << 20 | minor) << 32n, cdev);
  }

  #module(name: string): bigint {
    const bytes = new Uint8Array(64);
    new TextEncoder().encodeInto(name, bytes.subarray(8));
    return this.#put(bytes);
  }

  /** The list of the modules' types. */
  #keepTypes(modules: readonly [bigint, bigint, bigint], coreBtf: bigint, off: number): void {
    const list = this.allocate(16);
    this.#symbols.set("btf_modules", list);
    let previous = list;
    const all = [
      [modules[0], VFIO, {}],
      [modules[1], TYPE1, {}],
      [modules[2], IOMMUFD, IOMMUFD_ENUMS],
    ] as const;
    for (const [module, structs, enums] of all) {
      const data = this.#put(btfBytes(structs, this.#core, enums));
      const first = BigInt(this.#core.count + off) | BigInt(this.#core.stringsEnd) << 32n;
      const words = Array.from({ length: 32 }, () => 0n);
      [words[0], words[12], words[13]] = [data, coreBtf, first];
      const entry = this.#words(list, previous, module, this.#words(...words));
      this.write(previous, entry);
      previous = entry;
    }
  }

  #range(range: FakeRange, task: bigint): bigint {
    const { iova, vaddr, size, prot = 3, vaddrInvalid = false, mm = OWN_MM, by } = range;
    const mapper = by
      ? this.#words(0n, by.mm, BigInt(by.pid) | BigInt(by.exitState ?? 0) << 32n)
      : task;
    const flags = BigInt(prot) | (vaddrInvalid ? 1n << 48n : 0n);
    return this.#words(0n, 0n, 0n, 0n, iova, vaddr, size, flags, mapper, mm) + 8n;
  }

  /** A balanced tree of some of the nodes; its root. The colour's bit is set here and there. */
  #tree(start: number, end: number, parent: bigint): bigint {
    if (start >= end) return 0n;
    const middle = start + end >> 1;
    const node = this.nodes[middle]!;
    this.write(node, parent | BigInt(middle & 1));
    this.write(node + 8n, this.#tree(middle + 1, end, node));
    this.write(node + 16n, this.#tree(start, middle, node));
    return node;
  }
}
