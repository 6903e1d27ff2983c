import { BtfBlob } from "../../src/linux/btf/btf_source.ts";
import type { Reader } from "../../src/linux/reader.ts";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";
import type { VfioKernel } from "../../src/linux/vfio_layouts.ts";
import type { VfioOwner } from "../../src/linux/vfio_mappings.ts";
import { BASE } from "./_hostile.ts";

/** Members of a struct and where they lie; some are structs that were written before. */
export type Layout = Readonly<Record<string, number | readonly [at: number, struct: string]>>;

/** Writes type data that consists of structs, on its own or going on where a base's ends. */
export function btfBytes(structs: Readonly<Record<string, Layout>>, base?: BtfBlob): Uint8Array {
  const firstString = base?.stringsEnd ?? 0;
  // A module's strings need not begin with the empty one, which its base has.
  const texts: number[] = base ? [] : [0];
  const types: number[] = [];
  const string = (text: string) => {
    const at = firstString + texts.length;
    texts.push(...new TextEncoder().encode(text), 0);
    return at;
  };
  const [INT, STRUCT] = [1, 4];
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
} as const;
/** Their numbers in the type data: a long integer is before them. */
const CORE_IDS = Object.keys(CORE).map((name, i): [string, number] => [name, 2 + i]);
/** Those of the module vfio. */
export const VFIO = {
  vfio_container: { iommu_driver: 16, iommu_data: 24 },
  vfio_iommu_driver: { ops: 0 },
  vfio_iommu_driver_ops: { name: 0, owner: 8 },
  vfio_group: { container: 8, cdev: 16 },
  vfio_device: { group: 8 },
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

const OFFSETS = new Map(Object.entries({
  "task_struct.files": 0,
  "task_struct.mm": 8,
  "task_struct.tgid": 16,
  "task_struct.exit_state": 20,
  "files_struct.fdt": 0,
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
}

/** What differs from a process with one container of the type 1 driver. */
export interface FakeKernelOptions {
  ranges?: readonly FakeRange[];
  /** The name of the module behind the file. */
  module?: string;
  /** The device's number, major and minor. */
  device?: readonly [number, number];
  /** What of VFIO the process holds open. */
  holds?: "container" | "group" | "device" | "device by number";
  /** The name of the driver that maps memory. */
  driver?: string;
  /** Are the modules' types kept? */
  hasModuleTypes?: boolean;
  /** Added to where the modules' types say that they begin. */
  typesOff?: number;
}

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
    const modules = [this.#module(module), this.#module("vfio_iommu_type1")] as const;
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
    const [inode, held] = {
      container: () => [this.#inode(0x2000n, device), container],
      group: () => [this.#inode(0x2000n, [240, 2], group + 16n), group],
      device: () => [this.#inode(0n, [0, 0]), this.#words(0n, group)],
      "device by number": () => [this.#inode(0x2000n, [240, 3], BASE), this.#words(0n, group)],
    }[options.holds ?? "container"]() as [bigint, bigint];
    const file = this.#words(this.#words(modules[0]), inode, held);
    this.slot = this.#words(0n, file, 0n, file);
    const task = this.#words(this.#words(this.#words(4n, this.slot)), OWN_MM, 84n);
    this.slot += 8n;
    this.owner = { pid: 84, task, mm: OWN_MM, threads: () => Promise.resolve([task]) };
    for (const range of ranges) this.nodes.push(this.#range(range, task));
    this.write(this.root, this.#tree(0, ranges.length, 0n));
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
    given: [],
  };

  address(name: string): Promise<bigint | null> {
    return Promise.resolve(this.#symbols.get(name) ?? null);
  }

  async variable(name: string): Promise<bigint | null> {
    const address = await this.address(name);
    return address && this.#view.getBigUint64(Number(address - BASE), true);
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
  #keepTypes(modules: readonly [bigint, bigint], coreBtf: bigint, off: number): void {
    const list = this.allocate(16);
    this.#symbols.set("btf_modules", list);
    let previous = list;
    for (const [module, structs] of [[modules[0], VFIO], [modules[1], TYPE1]] as const) {
      const data = this.#put(btfBytes(structs, this.#core));
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
