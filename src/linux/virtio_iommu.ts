import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed, untilWhole } from "./changed.ts";
import { KernelFormatError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { kernelOf, type LinuxGuest } from "./linux_guest.ts";
import { type RbNode, readRbTree } from "./rb_tree.ts";
import { readU64, viewOf } from "./reader.ts";
import { StructReader, type StructView } from "./struct_reader.ts";
import { VfioLayouts } from "./vfio_layouts.ts";

/** A range of a device's addresses that Linux has mapped in a virtio IOMMU. */
export interface VirtioIommuMapping {
  /** The first address on the device's side. */
  readonly iova: bigint;
  /** The first guest-physical address. */
  readonly physicalAddress: bigint;
  /** The length in bytes. */
  readonly lengthBytes: number;
  /** May the device read it? */
  readonly read: boolean;
  /** May it write it? */
  readonly write: boolean;
}

/** A device behind a virtio IOMMU. */
export interface VirtioIommuDevice {
  /** Bus in bits 15:8, device 7:3, function 2:0. */
  readonly requesterId: number;
  /** The IOMMU: the virtual address of its `struct viommu_dev`. */
  readonly iommu: bigint;
  /** Its domain; null if it has none. */
  readonly domain: VirtioIommuDomain | null;
}

/** A domain of a virtio IOMMU. */
export interface VirtioIommuDomain {
  /** Its number. */
  readonly id: number;
  /** The virtual address of its `struct iommu_domain`. */
  readonly address: bigint;
  /** Whether its devices' DMA is passed through. */
  readonly passesThrough: boolean;
  /** What its devices reach, by IOVA. */
  readonly mappings: readonly VirtioIommuMapping[];
}

const MODULE = "virtio_iommu";
const ATTEMPTS = 5;
/** Lists in a circle end; no machine has so many. */
const MAX_DEVICES = 4096;
const MODULE_NAME_BYTES = 56;
/** VIRTIO_IOMMU_MAP_F_READ and _WRITE (include/uapi/linux/virtio_iommu.h). */
const READ = 1;
const WRITE = 2;
/** __IOMMU_DOMAIN_PT (include/linux/iommu.h): a domain that passes through. */
const PASSES_THROUGH = 1 << 2;
/** The two lowest bits of `__rb_parent_color` are not part of the address (include/linux/rbtree.h). */
const PARENT = BigInt.asUintN(64, ~3n);

/** Where each kernel keeps the types of its modules: the same for as long as it runs. */
const known = new WeakMap<Kernel, VfioLayouts>();

/**
 * Reads from Linux's own records what devices behind a virtio IOMMU reach. Its tables are in QEMU's memory, which
 * the guest cannot show; drivers/iommu/virtio-iommu.c keeps each range that it has mapped, to map it again after a
 * reset.
 *
 * @returns none if Linux drives no such IOMMU
 * @throws {CapabilityError} if the kernel or the module has no type data (BTF)
 * @throws {InconsistentListError} if the records change faster than they can be read
 */
export async function readVirtioIommu(
  linux: LinuxGuest,
  options: ReadOptions = {},
): Promise<VirtioIommuDevice[]> {
  const kernel = kernelOf(linux);
  let layouts = known.get(kernel);
  if (!layouts) known.set(kernel, layouts = new VfioLayouts(kernel));
  const module = await moduleOf(kernel, layouts, options);
  if (module === null) return [];
  const records = new Records(kernel, await structsOf(layouts, module), options);
  return await untilWhole("The mappings of the guest's virtio IOMMU", ATTEMPTS, async () => {
    const first = await records.read();
    const text = (devices: readonly VirtioIommuDevice[]) =>
      JSON.stringify(devices, (_, value) => typeof value === "bigint" ? `${value}` : value);
    if (text(first) !== text(await records.read())) {
      throw new Changed("memory is mapped or unmapped");
    }
    return first;
  });
}

/** The driver's module: 0 if it is built in, null if there is none. */
async function moduleOf(
  kernel: Kernel,
  layouts: VfioLayouts,
  options: ReadOptions,
): Promise<bigint | null> {
  const offsets = await kernel.offsets("vfio");
  const names = new StructReader("module", { name: MODULE_NAME_BYTES }, offsets);
  const module = await layouts.moduleNamed(
    MODULE,
    async (module) => (await names.read(kernel.live, module, options)).text("name"),
  );
  if (module !== 0n) return module;
  return await kernel.address("viommu_ops") === null ? null : 0n;
}

const BUS = { node: 8, children: 8, devices: 8, number: 1 } as const;
const DEVICE = { bus_list: 8, devfn: 4 } as const;
const ENDPOINT = { dev: 8, viommu: 8, vdomain: 8 } as const;
const DOMAIN = { id: 4, viommu: 8, mappings: 8, bypass: 1 } as const;
const MAPPING = { paddr: 8, iova: 40, flags: 4 } as const;
const NODE = { __rb_parent_color: 8, rb_left: 8, rb_right: 8 } as const;

type Structs = Awaited<ReturnType<typeof structsOf>>;

/** Where the members lie that are read. */
async function structsOf(layouts: VfioLayouts, module: bigint) {
  const of = <M extends string>(
    owner: bigint,
    struct: string,
    members: Readonly<Record<M, number>>,
  ) =>
    layouts.of(owner, struct, Object.keys(members)).then((offsets) =>
      new StructReader(struct, members, offsets)
    );
  const place = async (owner: bigint, struct: string, member: string) =>
    BigInt((await layouts.of(owner, struct, [member])).get(`${struct}.${member}`)!);
  const { bypass, ...common } = DOMAIN;
  const hasBypass = await layouts.find(module, "viommu_domain", ["bypass"]);
  const tree = await layouts.of(0n, "interval_tree_node", ["rb", "start", "last"]);
  return {
    bus: await of(0n, "pci_bus", BUS),
    device: await of(0n, "pci_dev", DEVICE),
    /** From a `pci_dev` to the pointer to its `dev_iommu`. */
    generic: await place(0n, "pci_dev", "dev"),
    iommu: await place(0n, "device", "iommu"),
    priv: await place(0n, "dev_iommu", "priv"),
    type: await place(0n, "iommu_domain", "type"),
    endpoint: await of(module, "viommu_endpoint", ENDPOINT),
    inDomain: await place(module, "viommu_domain", "domain"),
    domain: await of(module, "viommu_domain", common),
    /** Since 5.18; null before, when no domain passed through. */
    bypass: hasBypass?.size ? await of(module, "viommu_domain", { bypass }) : null,
    mapping: await of(module, "viommu_mapping", MAPPING),
    node: await of(0n, "rb_node", NODE),
    tree: {
      rb: tree.get("interval_tree_node.rb")!,
      start: tree.get("interval_tree_node.start")!,
      last: tree.get("interval_tree_node.last")!,
    },
  };
}

class Records {
  readonly #kernel: Kernel;
  readonly #structs: Structs;
  readonly #options: ReadOptions;

  constructor(kernel: Kernel, structs: Structs, options: ReadOptions) {
    this.#kernel = kernel;
    this.#structs = structs;
    this.#options = options;
  }

  async read(): Promise<VirtioIommuDevice[]> {
    const roots = await this.#kernel.address("pci_root_buses");
    if (roots === null) return [];
    const devices: VirtioIommuDevice[] = [];
    const domains = new Map<bigint, Promise<VirtioIommuDomain>>();
    for (const { requesterId, device } of await this.#devices(roots)) {
      const found = await this.#endpoint(device);
      if (found === null) continue;
      const { viommu, vdomain } = found;
      if (vdomain !== 0n && !domains.has(vdomain)) domains.set(vdomain, this.#domain(vdomain));
      const domain = await domains.get(vdomain) ?? null;
      devices.push({ requesterId, iommu: viommu, domain });
    }
    return devices;
  }

  /** All PCI devices: their `struct device`s, bus by bus. */
  async #devices(roots: bigint): Promise<{ requesterId: number; device: bigint }[]> {
    const { bus, device, generic } = this.#structs;
    const found: { requesterId: number; device: bigint }[] = [];
    const heads = [roots];
    let buses = 0;
    for (let head = heads.shift(); head !== undefined; head = heads.shift()) {
      for await (const at of this.#listed(head, bus.offset("node"))) {
        if (++buses > 256) throw new KernelFormatError("list of PCI buses", "it does not end", at);
        const number = (await bus.read(this.#kernel.live, at, this.#options)).u32("number");
        heads.push(at + bus.offset("children"));
        for await (
          const each of this.#listed(at + bus.offset("devices"), device.offset("bus_list"))
        ) {
          const devfn = (await device.read(this.#kernel.live, each, this.#options)).u32("devfn");
          found.push({ requesterId: number << 8 | devfn & 0xff, device: each + generic });
        }
      }
    }
    return found.sort((a, b) => a.requesterId - b.requesterId);
  }

  /** The structures of a list, by its head and where the link lies in each. */
  async *#listed(head: bigint, link: bigint): AsyncGenerator<bigint> {
    let at = await readU64(this.#kernel.live, head, this.#options);
    for (let count = 0; at !== head; count++) {
      if (count === MAX_DEVICES) {
        throw new KernelFormatError("list of PCI devices", "it does not end", at);
      }
      yield at - link;
      at = await readU64(this.#kernel.live, at, this.#options);
    }
  }

  /** What the driver keeps of a device; null of one that is behind no such IOMMU. */
  async #endpoint(device: bigint): Promise<{ viommu: bigint; vdomain: bigint } | null> {
    const { endpoint, iommu, priv } = this.#structs;
    const { live } = this.#kernel;
    const own = await readU64(live, device + iommu, this.#options);
    if (own === 0n) return null;
    const at = await readU64(live, own + priv, this.#options);
    if (at === 0n) return null;
    const view = await endpoint.read(live, at, this.#options);
    // Another driver keeps something else there.
    if (view.u64("dev") !== device) return null;
    return { viommu: view.u64("viommu"), vdomain: view.u64("vdomain") };
  }

  async #domain(at: bigint): Promise<VirtioIommuDomain> {
    const { bypass, domain, inDomain, type } = this.#structs;
    const { live } = this.#kernel;
    const view = await domain.read(live, at, this.#options);
    const kind = await readU64(live, at + inDomain + type, this.#options);
    const isBypass = await bypass?.read(live, at, this.#options);
    return {
      id: view.u32("id"),
      address: at + inDomain,
      passesThrough: isBypass?.u32("bypass") === 1 ||
        (Number(kind & 0xffff_ffffn) & PASSES_THROUGH) !== 0,
      mappings: await this.#mappings(view.u64("mappings")),
    };
  }

  async #mappings(root: bigint): Promise<VirtioIommuMapping[]> {
    const { mapping } = this.#structs;
    const mappings = await readRbTree(root, async (addresses) => {
      const starts = addresses.map((address) => address - mapping.offset("iova"));
      const views = await mapping.readAll(this.#kernel.live, starts, this.#options);
      return views.map((view) => {
        if (view === null) throw new Changed("a mapping is gone");
        return this.#node(view);
      });
    });
    let next = 0n;
    for (const { iova, lengthBytes } of mappings) {
      if (iova < next || lengthBytes <= 0 || lengthBytes > Number.MAX_SAFE_INTEGER) {
        throw new KernelFormatError(
          "list of a virtio IOMMU's mappings",
          "it does not ascend",
          iova,
        );
      }
      next = iova + BigInt(lengthBytes);
    }
    return mappings;
  }

  #node(view: StructView<keyof typeof MAPPING>): RbNode<VirtioIommuMapping> {
    const { node, tree } = this.#structs;
    const bytes = viewOf(view.bytes("iova"));
    const link = (member: keyof typeof NODE) =>
      bytes.getBigUint64(tree.rb + Number(node.offset(member)), true);
    const iova = bytes.getBigUint64(tree.start, true);
    const flags = view.u32("flags");
    return {
      parent: link("__rb_parent_color") & PARENT,
      left: link("rb_left"),
      right: link("rb_right"),
      value: {
        iova,
        physicalAddress: view.u64("paddr"),
        lengthBytes: Number(bytes.getBigUint64(tree.last, true) - iova + 1n),
        read: (flags & READ) !== 0,
        write: (flags & WRITE) !== 0,
      },
    };
  }
}
