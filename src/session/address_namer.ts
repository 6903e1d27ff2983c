import { type AddressNames, readAddressNames } from "../linux/address_names.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import type { NotPresentContent } from "../translate/entry.ts";
import type { MappingRecord } from "../translate/mappings.ts";
import type { Regime } from "../translate/regime.ts";
import type { TableSource } from "./table_choice.ts";

/**
 * Says what is where in a process's address space, by its memory areas, and what entries mean there.
 *
 * @example Usage
 * ```ts
 * import { AddressNamer, connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const tables = await guest.tables();
 * const namer = async () => await AddressNamer.of(await guest.linux(), tables);
 * await assertRejects(namer, LinuxNotFoundError); // it runs no kernel
 * ```
 */
export class AddressNamer {
  /** What is where. */
  readonly names: AddressNames;
  readonly #linux: LinuxGuest;

  private constructor(linux: LinuxGuest, names: AddressNames) {
    this.#linux = linux;
    this.names = names;
  }

  /**
   * Reads the areas of the process that some tables belong to; those that are no process's have names for
   * the kernel's part alone.
   */
  static async of(
    linux: LinuxGuest,
    { context, source }: { readonly context: Regime; readonly source: TableSource },
    options: ReadOptions = {},
  ): Promise<AddressNamer> {
    const { root } = context;
    const process = source.kind === "process"
      ? await linux.process(source.pid, options)
      : (await linux.processes(options)).find((each) =>
        each.root === root || each.userRoot === root
      );
    return new AddressNamer(linux, await readAddressNames(linux, process ?? null, options));
  }

  /** The name of what a record is about; empty if it has none. */
  nameOf({ address }: MappingRecord): string {
    return this.names.at(address)?.name ?? "";
  }

  /** The same record, with what an entry that is not present means to this kernel, in this area. */
  async complete(record: MappingRecord): Promise<MappingRecord> {
    if (record.kind !== "notPresent") return record;
    const content = await this.#linux.nameAbsent(record.content);
    return { ...record, content: this.meaningAt(record.address, content) };
  }

  /** What a `PROT_NONE` entry means, by the rights of the memory area that an address lies in. */
  meaningAt(address: bigint, content: NotPresentContent): NotPresentContent {
    const area = this.names.at(address)?.area;
    if (content.kind !== "protNone" || area === undefined) return content;
    return { ...content, isHint: !area.permissions.startsWith("---") };
  }
}
