import { type AddressLike, formatAddress } from "../core/address.ts";
import type { DirectMap } from "../translate/kernel_layout.ts";
import type { Regime } from "../translate/regime.ts";
import { CachingMemory } from "../memory/caching_memory.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import { AddressSpace, PageFaultError } from "../translate/address_space.ts";
import { checkTypeFile } from "./btf/check_type_file.ts";
import type { TypeFile } from "./btf/type_file.ts";
import {
  AREA_WISHES,
  DETAIL_WISHES,
  FILE_WISHES,
  MODULE_WISHES,
  offsetsFromBtf,
  OPEN_FILE_WISHES,
  PID_WISHES,
  PROCESS_WISHES,
  RUNNING_WISHES,
} from "./btf_offsets.ts";
import { CapabilityError, KernelFormatError, LinuxNotFoundError } from "./errors.ts";
import { Kallsyms, type KernelSymbol, type SymbolAt } from "./kallsyms/kallsyms.ts";
import { locateKallsyms } from "./kallsyms/locate.ts";
import { type ContextsNow, findKernelImage, type KernelImage, mapsImage } from "./kernel_image.ts";
import {
  absoluteTables,
  type KernelCache,
  type KernelKnowledge,
  relativeTables,
  shapeOf,
} from "./kernel_knowledge.ts";
import { findDirectMap, kernelContext, KernelSpace, withKernelRoot } from "./kernel_space.ts";
import { KernelTypes } from "./kernel_types.ts";
import { readU32, readU64 } from "./reader.ts";
import type { StructOffsets } from "./struct_reader.ts";
import { readVmcoreinfo, type Vmcoreinfo } from "./vmcoreinfo.ts";

/** Where a kernel is looked for. */
export interface KernelInit {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /**
   * The paging contexts of its vCPUs, or what asks for them as they are now: any one that runs in long
   * mode will do.
   */
  readonly contexts: readonly Regime[] | ContextsNow;
  /** What earlier attaches learned. @default nothing */
  readonly cache?: KernelCache;
  /**
   * Types out of files, the kernel's own first, then modules'. They take the place of those in memory.
   *
   * @default what the kernel has in memory
   */
  readonly types?: readonly TypeFile[];
  /** Called with what a user should know, such as that the types of a file could not be checked. */
  onNotice?(text: string): void;
}

/** The release, the build's id and the addresses of symbols, which KASLR moves. */
const COMPARED_CHARACTERS = 1024;

/** The members that one group of functions reads. */
const GROUPS = {
  processes: PROCESS_WISHES,
  pids: PID_WISHES,
  details: DETAIL_WISHES,
  running: RUNNING_WISHES,
  vmas: AREA_WISHES,
  vfio: FILE_WISHES,
  modules: MODULE_WISHES,
  files: OPEN_FILE_WISHES,
} as const;

/** What cannot be told of a kernel without type data. */
const UNKNOWN_WITHOUT_TYPES = {
  vfio: "what its VFIO drivers keep",
  modules: "its list of modules",
  files: "what processes have open",
} as const;

/** Types are followed from one to the next: each has its neighbours' names around it. */
const TYPES_GRANULE_BYTES = 4096;

/**
 * A running Linux kernel, known from its memory alone: where its image lies, its symbols, what it
 * tells of itself and how its structures are laid out. What a build has in common with every boot of
 * it is kept in the cache, if there is one.
 */
export class Kernel {
  /** Where the image lies. */
  readonly image: KernelImage;
  /** The paging context with the kernel's own root, which outlives every process. */
  readonly context: Regime;
  /** The symbols. */
  readonly kallsyms: Kallsyms;
  /** What the kernel tells crash tools. */
  readonly vmcoreinfo: Vmcoreinfo;
  /** Reads memory as it is now. */
  readonly live: KernelSpace;
  /** Reads what does not change while the kernel runs, and keeps it. */
  readonly stable: KernelSpace;
  /** How its structures are laid out. */
  readonly types: KernelTypes;
  readonly #parts: KernelInit;
  #knowledge: KernelKnowledge;
  #isKept = true;
  readonly #fromFile = new Map<keyof typeof GROUPS, StructOffsets>();

  private constructor(
    parts: KernelInit,
    found: {
      image: KernelImage;
      kallsyms: Kallsyms;
      vmcoreinfo: Vmcoreinfo;
      directMap: DirectMap | null;
      stableMemory: PhysicalMemory;
      knowledge: KernelKnowledge;
    },
  ) {
    const { image, vmcoreinfo, directMap } = found;
    this.kallsyms = found.kallsyms;
    this.vmcoreinfo = vmcoreinfo;
    this.#knowledge = found.knowledge;
    this.#parts = parts;
    this.context = kernelContext(parts.memory, image, vmcoreinfo);
    this.image = { ...image, context: this.context };
    const layout = { image: this.image, ...directMap !== null && { directMap } };
    this.live = new KernelSpace(parts.memory, layout);
    this.stable = new KernelSpace(found.stableMemory, layout);
    const typesMemory = new CachingMemory(parts.memory, { granuleBytes: TYPES_GRANULE_BYTES });
    this.types = new KernelTypes({
      reader: new KernelSpace(typesMemory, layout),
      live: this.live,
      address: (name) => this.address(name),
      given: (parts.types ?? []).map(({ types }) => types),
    });
  }

  /**
   * Finds the kernel.
   *
   * @throws {LinuxNotFoundError} if there is none
   * @throws {KernelFormatError} if it cannot be read
   */
  static async find(parts: KernelInit): Promise<Kernel> {
    const kernel = await Kernel.#find(parts);
    const [types] = parts.types ?? [];
    const notice = types && await checkTypeFile(types, kernel.vmcoreinfo);
    if (notice) parts.onNotice?.(notice);
    return kernel;
  }

  static async #find(parts: KernelInit): Promise<Kernel> {
    const image = await findKernelImage(parts.memory, contextsOf(parts));
    const shape = shapeOf(image);
    const stableMemory = new CachingMemory(parts.memory);
    const live = new KernelSpace(parts.memory, { image });
    const stable = new KernelSpace(stableMemory, { image });

    for (const knowledge of await parts.cache?.find(shape) ?? []) {
      const kallsyms = new Kallsyms(stable, absoluteTables(knowledge.kallsyms, image.text));
      const data = knowledge.symbols["vmcoreinfo_data"];
      if (!data) continue;
      const told = await readVmcoreinfo(live, image.text + BigInt(data)).catch(isNoKernel);
      if (told?.vmcoreinfo.buildId !== knowledge.buildId) continue;
      const directMap = await findDirectMap(parts.memory, image, told);
      return new Kernel(parts, { image, kallsyms, ...told, directMap, stableMemory, knowledge });
    }

    const { start, end } = image.rodata;
    const region = { start, end, text: image.text };
    const tables = await locateKallsyms(live, region, { namesReader: stable })
      .catch((cause) => {
        if (!(cause instanceof KernelFormatError)) throw cause;
        throw new LinuxNotFoundError(
          `What is mapped at ${
            formatAddress(image.text)
          }, where Linux has its kernel, has no symbols: ` +
            "the guest runs something else, or a kernel built without CONFIG_KALLSYMS",
          { cause },
        );
      });
    const kallsyms = new Kallsyms(stable, tables);
    const symbol = await kallsyms.symbol("vmcoreinfo_data");
    if (!symbol) {
      throw new CapabilityError(
        "vmcoreinfo",
        "This kernel has no usable metadata: no VMCOREINFO (CONFIG_VMCORE_INFO), or its " +
          "symbols have no data (CONFIG_KALLSYMS_ALL)",
      );
    }
    const told = await readVmcoreinfo(live, symbol.address).catch(async (error) => {
      // The tables that the vCPU ran on may be gone with their process; the kernel's own stay.
      isNoKernel(error);
      const root = await kallsyms.symbol("swapper_pg_dir") ?? await kallsyms.symbol("init_top_pgt");
      const context = withKernelRoot(parts.memory, image, root?.address);
      const lasting = new KernelSpace(parts.memory, { image: { ...image, context } });
      return await readVmcoreinfo(lasting, symbol.address);
    });
    const directMap = await findDirectMap(parts.memory, image, told);
    const knowledge: KernelKnowledge = {
      buildId: told.vmcoreinfo.buildId ?? "",
      shape,
      kallsyms: relativeTables(tables, image.text),
      symbols: { vmcoreinfo_data: String(symbol.address - image.text) },
      offsets: {},
    };
    const found = { image, kallsyms, ...told, directMap, stableMemory, knowledge };
    return new Kernel(parts, found);
  }

  /**
   * Whether this kernel still runs, not another one after a reboot or kexec, or none. What it has left
   * in memory proves nothing: a vCPU's page tables have to map it.
   */
  async isCurrent(): Promise<boolean> {
    try {
      if (!await mapsImage(this.#parts.memory, contextsOf(this.#parts), this.image)) {
        return false;
      }
      const { vmcoreinfo } = await readVmcoreinfo(
        this.live,
        await this.address("vmcoreinfo_data") ?? 0n,
      );
      // The time of a crash is appended in the end.
      return vmcoreinfo.text.startsWith(this.vmcoreinfo.text.slice(0, COMPARED_CHARACTERS));
    } catch (error) {
      isNoKernel(error);
      return false;
    }
  }

  /** The address of a symbol in the kernel's image; null if there is none of that name. */
  async address(name: string): Promise<bigint | null> {
    const exported = this.vmcoreinfo.symbols.get(name);
    if (exported !== undefined) return exported;
    const known = this.#knowledge.symbols[name];
    if (known !== undefined) return known === null ? null : this.image.text + BigInt(known);
    const symbol = await this.kallsyms.symbol(name);
    const distance = symbol && String(symbol.address - this.image.text);
    this.#knowledge = {
      ...this.#knowledge,
      symbols: { ...this.#knowledge.symbols, [name]: distance },
    };
    this.#isKept = false;
    return symbol?.address ?? null;
  }

  /** A symbol by its name. */
  symbol(name: string): Promise<KernelSymbol | null> {
    return this.kallsyms.symbol(name);
  }

  /** The symbol that an address belongs to. */
  symbolAt(address: AddressLike): Promise<SymbolAt | null> {
    return this.kallsyms.symbolAt(address);
  }

  get #hasFile(): boolean {
    return this.types.given.length > 0;
  }

  /**
   * Where the members lie that a group of functions reads.
   *
   * @throws {CapabilityError} if the kernel has no type data, and they cannot be told without
   */
  async offsets(group: keyof typeof GROUPS): Promise<StructOffsets> {
    const known = this.#knowledge.offsets[group];
    if (known && !this.#hasFile) return new Map(Object.entries(known));
    const told = this.#fromFile.get(group);
    if (told) return told;
    const found = await this.#btfOffsets(group) ?? await this.#structuralOffsets(group);
    // What a file says is not kept for those who have no file.
    if (this.#hasFile) {
      this.#fromFile.set(group, found);
      return found;
    }
    this.#knowledge = {
      ...this.#knowledge,
      offsets: { ...this.#knowledge.offsets, [group]: Object.fromEntries(found) },
    };
    this.#isKept = false;
    return found;
  }

  async #btfOffsets(group: keyof typeof GROUPS): Promise<StructOffsets | null> {
    const opened = await this.types.entry();
    return opened && await offsetsFromBtf(opened.btf, opened.roots, GROUPS[group]);
  }

  /** Without type data. Loaded only here, since nearly all kernels have some. */
  async #structuralOffsets(group: keyof typeof GROUPS): Promise<StructOffsets> {
    // The list of all processes, and their names, have to do.
    if (group === "pids" || group === "details" || group === "running") return new Map();
    if (group === "vfio" || group === "modules" || group === "files") {
      const what = UNKNOWN_WITHOUT_TYPES[group];
      throw new CapabilityError(
        "types",
        `This kernel (${this.vmcoreinfo.osRelease}) has no type data (CONFIG_DEBUG_INFO_BTF): ${what} ` +
          "cannot be read; give its types by a file (btf)",
      );
    }
    const initTask = await this.address("init_task");
    const kernelTable = await this.address("swapper_pg_dir") ?? await this.address("init_top_pgt");
    if (initTask === null || kernelTable === null) {
      throw new CapabilityError(group, "This kernel has no type data, and no symbol init_task");
    }
    if (group === "processes") {
      const { processOffsets } = await import("./structural_offsets.ts");
      return await processOffsets({ reader: this.live, initTask, kernelTable });
    }
    const { areaOffsets } = await import("./structural_areas.ts");
    const offsets = await this.offsets("processes");
    // The first process after the idle task.
    const tasks = BigInt(offsets.get("task_struct.tasks")!);
    const first = await readU64(this.live, initTask + tasks) - tasks;
    const mm = await readU64(this.live, first + BigInt(offsets.get("task_struct.mm")!));
    return await areaOffsets(this.live, mm);
  }

  /** Keeps in the cache what was learned since the last time. */
  async keepKnowledge(): Promise<void> {
    if (this.#isKept) return;
    this.#isKept = true;
    await this.#parts.cache?.keep(this.#knowledge);
  }

  /** The physical address behind one of the kernel's; null if nothing is mapped there. */
  async physical(address: bigint, options: ReadOptions = {}): Promise<bigint | null> {
    return this.live.physicalOf(address) ??
      await new AddressSpace(this.#parts.memory, this.context).translate(address, options);
  }

  /** Reads a 64-bit variable of the kernel; null if it has none of that name. */
  async variable(name: string): Promise<bigint | null> {
    const address = await this.address(name);
    return address === null ? null : await readU64(this.live, address);
  }

  /** Reads a 32-bit variable of the kernel; null if it has none of that name. */
  async variable32(name: string): Promise<number | null> {
    const address = await this.address(name);
    return address === null ? null : await readU32(this.live, address);
  }
}

function contextsOf({ contexts }: KernelInit): ContextsNow {
  return typeof contexts === "function" ? contexts : () => Promise.resolve(contexts);
}

/** What reading at an address of another kernel may end in; anything else is thrown on. */
function isNoKernel(error: unknown): null {
  if (
    error instanceof KernelFormatError || error instanceof MemoryReadError ||
    error instanceof PageFaultError
  ) return null;
  throw error;
}
