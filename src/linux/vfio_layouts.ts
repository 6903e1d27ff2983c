import { Btf } from "./btf/btf.ts";
import type { BtfBlob } from "./btf/btf_source.ts";
import { namedStructs, type NamedTypes } from "./btf/live_structs.ts";
import { CapabilityError } from "./errors.ts";
import type { KernelTypes } from "./kernel_types.ts";
import { readModuleBtfs, readModuleTypes } from "./module_types.ts";
import type { Reader } from "./reader.ts";
import { memberOffsets, structOffsets } from "./struct_offsets.ts";
import type { StructOffsets } from "./struct_reader.ts";

/** What is known of the kernel. */
export interface VfioKernel {
  /** Reads memory as it is now. */
  readonly live: Reader;
  /** Where the members of what files are made of lie. */
  offsets(group: "vfio"): Promise<StructOffsets>;
  /** The kernel's own types. */
  readonly types: Pick<KernelTypes, "all" | "base" | "given" | "strings">;
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
  readonly #types = new Map<bigint, Promise<BtfBlob[] | null>>();
  /** Which modules have types. */
  #btfs: ReadonlyMap<bigint, bigint> | null = null;

  constructor(kernel: VfioKernel) {
    this.#kernel = kernel;
  }

  /** Where some members of a struct lie, in the module's types; those of module 0 are the kernel's own. */
  of(module: bigint, struct: string, members: readonly string[]): Promise<StructOffsets> {
    const key = `${module} ${struct} ${members}`;
    return this.#remembered(key, () => this.#findLayout(module, struct, members));
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

  /**
   * The same of the struct that a member of another one is, such as `struct rb_node`.
   *
   * @param name what the offsets are called by
   */
  ofMember(
    module: bigint,
    owner: readonly [struct: string, member: string],
    name: string,
    members: readonly string[],
  ): Promise<StructOffsets> {
    const key = `${module} ${owner} ${name} ${members}`;
    return this.#remembered(key, () => this.#findMember(module, owner, name, members));
  }

  async #findMember(
    module: bigint,
    owner: readonly [struct: string, member: string],
    name: string,
    members: readonly string[],
  ): Promise<StructOffsets> {
    const blobs = await this.#structsOf(module);
    return await memberOffsets(blobs, owner, name, members) ?? unknownStruct(name);
  }

  /**
   * The values of an enumeration by their names.
   *
   * @throws {CapabilityError} if the types have none of that name
   */
  async enumeration(module: bigint, name: string): Promise<ReadonlyMap<string, number>> {
    return await this.findEnumeration(module, name) ?? unknownStruct(name);
  }

  /** The same; null if there is none of that name. */
  async findEnumeration(
    module: bigint,
    name: string,
  ): Promise<ReadonlyMap<string, number> | null> {
    for (const blob of await this.#typesOf(module)) {
      for (const id of await blob.idsOf(name)) {
        const values = await new Btf(blob).enumeration(id);
        if (values) return values;
      }
    }
    return null;
  }

  /** The address of the module of that name; 0 where it is built in, or has no types. */
  async moduleNamed(name: string, nameOf: (module: bigint) => Promise<string>): Promise<bigint> {
    const list = await this.#kernel.address("btf_modules");
    if (list === null) return 0n;
    this.#btfs ??= await readModuleBtfs({ reader: this.#kernel.live, list });
    for (const module of this.#btfs.keys()) if (await nameOf(module) === name) return module;
    return 0n;
  }

  /** Finds a layout once. */
  #remembered(key: string, find: () => Promise<StructOffsets>): Promise<StructOffsets> {
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = find();
      this.#layouts.set(key, layout);
      // A failure may come from a module that was just being loaded.
      layout.catch(() => this.#layouts.delete(key));
    }
    return layout;
  }

  async #findLayout(
    module: bigint,
    struct: string,
    members: readonly string[],
  ): Promise<StructOffsets> {
    const blobs = await this.#structsOf(module);
    return await structOffsets(blobs, struct, members) ?? unknownStruct(struct);
  }

  /** Where structs of a module are looked up by their names: of the kernel's own types few are read. */
  async #structsOf(module: bigint): Promise<readonly NamedTypes[]> {
    if (module !== 0n) return await this.#typesOf(module);
    const { types } = this.#kernel;
    return [await namedStructs(types) ?? [], types.given.slice(1)].flat();
  }

  /** Where the types of a module are: those of files first, the kernel's own where it is built in. */
  async #typesOf(module: bigint): Promise<readonly BtfBlob[]> {
    const { types } = this.#kernel;
    if (module === 0n) return [await types.all() ?? [], types.given.slice(1)].flat();
    let own = this.#types.get(module);
    if (!own) {
      own = this.#readTypes(module);
      this.#types.set(module, own);
      own.catch(() => this.#types.delete(module));
    }
    return [...types.given, ...await own ?? []];
  }

  async #readTypes(module: bigint): Promise<BtfBlob[] | null> {
    const core = await this.#kernel.types.base();
    const list = await this.#kernel.address("btf_modules");
    const coreBtf = await this.#kernel.variable("btf_vmlinux");
    if (core === null || list === null || !coreBtf) return null;
    const reader = this.#kernel.live;
    let btf = this.#btfs?.get(module);
    if (btf === undefined) btf = (this.#btfs = await readModuleBtfs({ reader, list })).get(module);
    if (btf === undefined) return null;
    return [await readModuleTypes({ reader, core, coreBtf, list }, btf)];
  }
}

function unknownStruct(struct: string): never {
  throw new CapabilityError(
    "types",
    `The types of this kernel's VFIO modules are not known (no struct ${struct}): they are kept ` +
      "from 5.11 on, with CONFIG_DEBUG_INFO_BTF_MODULES",
  );
}
