import { type AddressLike, parseAddress } from "../../core/address.ts";
import type { PagewalkError } from "../../core/errors.ts";
import { checkOptions, SIGNAL } from "../../core/options.ts";
import type { ReadOptions } from "../../memory/physical_memory.ts";
import { Btf, type StructLayout } from "../btf/btf.ts";
import type { BtfBlob } from "../btf/btf_source.ts";
import { isChange } from "../changed.ts";
import { CapabilityError, KernelFormatError } from "../errors.ts";
import type { SymbolAt } from "../kallsyms/kallsyms.ts";
import type { Kernel } from "../kernel.ts";
import { kernelOf, type LinuxGuest } from "../linux_guest.ts";
import { readModuleBtfs, readModuleTypes } from "../module_types.ts";
import type { LinuxModule } from "./linux_module.ts";
import { type ModuleSymbol, readModuleSymbols, symbolAtIn } from "./module_symbols.ts";
import { type ListedModule, readModules } from "./read_modules.ts";

/** A struct or union of a module. */
export interface ModuleType extends StructLayout {
  /** The module's name. */
  readonly module: string;
}

/** The symbols of modules. */
export interface ModuleSymbolList {
  /** The symbols, in the order of the modules' tables. */
  readonly symbols: readonly ModuleSymbol[];
  /** The modules whose tables cannot be read, and why. */
  readonly unread: readonly { readonly module: string; readonly error: PagewalkError }[];
}

/**
 * The modules that are loaded into a guest's kernel, their symbols and their types. What they are is read
 * anew each time; a module's tables are read once.
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { kernelModules } from "@pagewalk/pagewalk/linux";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const driver = async () => await kernelModules(await guest.linux()).symbol("vfio_dma_do_map");
 * await assertRejects(driver, LinuxNotFoundError); // it runs no kernel
 * ```
 */
export class KernelModules {
  readonly #kernel: Kernel;
  /** By what a module can be told by: its place in memory, and that of its symbols. */
  readonly #symbols = new Map<string, Promise<ModuleSymbol[]>>();
  /** By the address of its `struct btf`. */
  readonly #types = new Map<bigint, Promise<BtfBlob>>();

  /** Prepares for one kernel; {@linkcode kernelModules} is the usual way. */
  constructor(linux: LinuxGuest) {
    this.#kernel = kernelOf(linux);
  }

  /**
   * Lists the modules, the last one loaded first.
   *
   * @throws {CapabilityError} if the kernel has no modules, or no type data (BTF)
   * @throws {KernelFormatError} if the list is garbage
   * @throws {InconsistentListError} if it changes faster than it can be read
   */
  async list(options: ReadOptions = {}): Promise<LinuxModule[]> {
    return (await this.#list(options)).map(({ kallsyms: _, ...module }) => module);
  }

  /**
   * Finds a symbol by its name, `vfio_dma_do_map` or with its module's, `vfio:vfio_open`; null if no module
   * has it. Of several modules' the one that was loaded last.
   *
   * @throws {KernelFormatError} if none of those whose symbols can be read has it, and some cannot be read
   * @throws whatever {@linkcode KernelModules.list} throws
   */
  async symbol(name: string, options: ReadOptions = {}): Promise<ModuleSymbol | null> {
    const [wanted, module] = split(name);
    const { symbols, unread } = await this.#tables(module, options);
    const found = symbols.find((symbol) => symbol.name === wanted);
    // What cannot be read is not absent.
    if (!found && unread[0]) throw unread[0].error;
    return found ?? null;
  }

  /**
   * Finds the symbol that an address in a module belongs to; null outside all of them.
   *
   * @throws whatever {@linkcode KernelModules.list} throws
   */
  async symbolAt(
    address: AddressLike,
    options: ReadOptions = {},
  ): Promise<SymbolAt & ModuleSymbol | null> {
    const target = parseAddress(address);
    const module = (await this.#list(options)).find(({ parts }) =>
      parts.some(({ address, lengthBytes }) =>
        target >= address && target < address + BigInt(lengthBytes)
      )
    );
    return module ? symbolAtIn(await this.#symbolsOf(module, options), target) : null;
  }

  /**
   * All symbols of all modules or of one, and the modules whose tables cannot be read.
   *
   * @throws whatever {@linkcode KernelModules.list} throws
   */
  async symbols(module?: string, options: ReadOptions = {}): Promise<ModuleSymbolList> {
    return await this.#tables(module ?? null, options);
  }

  /**
   * The layout of a struct or union of a module, by its name or with the module's, `vfio:vfio_group`; null
   * if none has it.
   *
   * @throws {CapabilityError} if the kernel keeps no types of its modules
   */
  async type(name: string, options: ReadOptions = {}): Promise<ModuleType | null> {
    const [wanted, module] = split(name.replace(/^(struct|union)\s+/, ""));
    for (const listed of await this.#named(module, options)) {
      const blob = await this.#typesOf(listed, options);
      if (blob === null) continue;
      for (const id of await blob.idsOf(wanted)) {
        const layout = await new Btf(blob).layout(id);
        if (layout) return { ...layout, module: listed.name };
      }
    }
    return null;
  }

  async #list(options: ReadOptions): Promise<ListedModule[]> {
    checkOptions(options, "the options of a reading", { signal: SIGNAL });
    const head = await this.#kernel.address("modules");
    if (head === null) {
      throw new CapabilityError("modules", "This kernel has no modules (CONFIG_MODULES)");
    }
    const offsets = await this.#kernel.offsets("modules");
    const modules = await readModules({ reader: this.#kernel.live, offsets, head }, options);
    await this.#kernel.keepKnowledge();
    return modules;
  }

  /** Those that have that name: all if none is asked for. */
  async #named(name: string | null, options: ReadOptions): Promise<ListedModule[]> {
    const all = await this.#list(options);
    // The kernel writes underscores for hyphens.
    return name === null ? all : all.filter((each) => each.name === name.replaceAll("-", "_"));
  }

  async #tables(name: string | null, options: ReadOptions): Promise<ModuleSymbolList> {
    const modules = await this.#named(name, options);
    const unread: { module: string; error: PagewalkError }[] = [];
    const tables = await Promise.all(modules.map(async (module) => {
      try {
        return await this.#symbolsOf(module, options);
      } catch (error) {
        // One that is just being unloaded, or garbage: it does not hide the others.
        if (!(error instanceof KernelFormatError) && !isChange(error)) throw error;
        unread.push({ module: module.name, error: error as PagewalkError });
        return [];
      }
    }));
    return { symbols: tables.flat(), unread };
  }

  async #symbolsOf(module: ListedModule, options: ReadOptions): Promise<ModuleSymbol[]> {
    const key = `${module.module} ${module.base} ${module.kallsyms} ${module.name}`;
    let symbols = this.#symbols.get(key);
    if (!symbols) {
      const offsets = await this.#kernel.offsets("modules");
      symbols = readModuleSymbols(this.#kernel.live, offsets, module, options);
      this.#symbols.set(key, symbols);
      symbols.catch(() => this.#symbols.delete(key));
    }
    return await symbols;
  }

  async #typesOf({ module }: ListedModule, options: ReadOptions): Promise<BtfBlob | null> {
    const { live, types } = this.#kernel;
    const list = await this.#kernel.address("btf_modules");
    const coreBtf = await this.#kernel.variable("btf_vmlinux");
    const core = await types.base();
    if (list === null || !coreBtf || core === null) {
      throw new CapabilityError(
        "types",
        "This kernel keeps no types of its modules (CONFIG_DEBUG_INFO_BTF_MODULES, from 5.11 on)",
      );
    }
    const source = { reader: live, core, coreBtf, list };
    const btf = (await readModuleBtfs(source, options)).get(module);
    if (btf === undefined) return null;
    let blob = this.#types.get(btf);
    if (!blob) {
      blob = readModuleTypes(source, btf, options);
      this.#types.set(btf, blob);
      blob.catch(() => this.#types.delete(btf));
    }
    return await blob;
  }
}

const known = new WeakMap<LinuxGuest, KernelModules>();

/**
 * The modules of a guest's kernel.
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { kernelModules } from "@pagewalk/pagewalk/linux";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const names = async () =>
 *   (await kernelModules(await guest.linux()).list()).map(({ name }) => name);
 * await assertRejects(names, LinuxNotFoundError); // it runs no kernel
 * ```
 */
export function kernelModules(linux: LinuxGuest): KernelModules {
  let modules = known.get(linux);
  if (!modules) known.set(linux, modules = new KernelModules(linux));
  return modules;
}

/** `module:name`, or a name alone. */
function split(text: string): [name: string, module: string | null] {
  const at = text.indexOf(":");
  return at < 0 ? [text, null] : [text.slice(at + 1), text.slice(0, at)];
}
