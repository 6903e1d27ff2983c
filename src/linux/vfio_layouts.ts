import type { BtfBlob } from "./btf/btf_source.ts";
import { CapabilityError } from "./errors.ts";
import { readModuleTypes } from "./module_types.ts";
import type { Reader } from "./reader.ts";
import { structOffsets } from "./struct_offsets.ts";
import type { StructOffsets } from "./struct_reader.ts";

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

/**
 * Finds where members of the VFIO drivers' structures lie, in the type data of their modules, and keeps
 * that as long as those stay loaded.
 */
export class VfioLayouts {
  readonly #kernel: VfioKernel;
  /** By what finds them: the address of the module, and the names of the struct and its members. */
  readonly #layouts = new Map<string, Promise<StructOffsets>>();
  readonly #types = new Map<bigint, Promise<BtfBlob | null>>();

  constructor(kernel: VfioKernel) {
    this.#kernel = kernel;
  }

  /** Where some members of a struct lie, in the module's types, or the kernel's own. */
  of(module: bigint, struct: string, members: readonly string[]): Promise<StructOffsets> {
    const key = `${module} ${struct} ${members}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#findLayout(module, struct, members);
      this.#layouts.set(key, layout);
      // A failure may come from a module that was just being loaded.
      layout.catch(() => this.#layouts.delete(key));
    }
    return layout;
  }

  /** The same; null if there is no struct of that name. */
  async find(
    module: bigint,
    struct: string,
    members: readonly string[],
  ): Promise<StructOffsets | null> {
    try {
      return await this.of(module, struct, members);
    } catch (error) {
      if (error instanceof CapabilityError) return null;
      throw error;
    }
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
