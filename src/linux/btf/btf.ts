import { KernelFormatError } from "../errors.ts";
import type { BtfSource } from "./btf_source.ts";
import type { BtfType } from "./btf_type.ts";

/** A member that was found in a struct, perhaps within unnamed ones. */
export interface FoundMember {
  /** Its distance from the start of the outer struct, in bytes. */
  readonly offset: number;
  /** The number of its type. */
  readonly type: number;
}

/** One member of a {@linkcode StructLayout}. */
export interface LayoutMember {
  /** Its name. Members of unnamed structs and unions appear as the outer struct's own, as in C. */
  readonly name: string;
  /** Its type as C writes it: `struct list_head`, `char[16]`. */
  readonly type: string;
  /** Its distance from the start, in bytes. */
  readonly offset: number;
  /** Of a bit field: its first bit, counted from the start of the byte at `offset`, and its width. */
  readonly bits?: { readonly first: number; readonly width: number };
}

/** How a struct or union of the kernel is laid out. */
export interface StructLayout {
  /** Whether members follow each other or share their place. */
  readonly kind: "struct" | "union";
  /** Its name. */
  readonly name: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
  /** Its members in order. */
  readonly members: readonly LayoutMember[];
}

/** Types in types: unnamed structs, qualifiers, arrays. Deeper nesting is not a kernel's. */
const DEEPEST = 24;
const MAX_MEMBERS = 16_384;
const QUALIFIERS = new Set(["typedef", "volatile", "const", "restrict", "type_tag"]);

/** Answers questions about types, from wherever they are read. */
export class Btf {
  readonly #source: BtfSource;
  readonly #types = new Map<number, Promise<BtfType>>();

  /** Asks one source, and remembers its types. */
  constructor(source: BtfSource) {
    this.#source = source;
  }

  /** The type of a number. @throws {KernelFormatError} if there is none */
  type(id: number): Promise<BtfType> {
    let type = this.#types.get(id);
    if (!type) {
      type = this.#source.type(id);
      this.#types.set(id, type);
    }
    return type;
  }

  /** A type's own name; empty if it has none. */
  async nameOf(id: number): Promise<string> {
    const { name } = await this.type(id);
    return name === 0 ? "" : await this.#source.string(name);
  }

  /** The number of the type below typedefs and qualifiers. @throws {KernelFormatError} in a loop */
  async strip(id: number): Promise<number> {
    let at = id;
    for (let depth = 0; depth < DEEPEST; depth++) {
      const type = await this.type(at);
      if (!QUALIFIERS.has(type.kind)) return at;
      at = type.sizeOrType;
    }
    throw new KernelFormatError("type data (BTF)", `type ${id} leads to itself`);
  }

  /** The number of the type that a pointer of this type points to; null if it is not a pointer. */
  async pointee(id: number): Promise<number | null> {
    const type = await this.type(await this.strip(id));
    return type.kind === "ptr" ? await this.strip(type.sizeOrType) : null;
  }

  /** Finds members of a struct or union by name; those that it does not have are absent. */
  async members(id: number, names: readonly string[]): Promise<Map<string, FoundMember>> {
    const wanted = new Set(names);
    const found = new Map<string, FoundMember>();
    await this.#findMembers(await this.strip(id), 0, wanted, found, 0);
    return found;
  }

  async #findMembers(
    id: number,
    base: number,
    wanted: Set<string>,
    found: Map<string, FoundMember>,
    depth: number,
  ): Promise<void> {
    if (depth > DEEPEST) throw new KernelFormatError("type data (BTF)", `type ${id} is too deep`);
    for (const member of (await this.type(id)).members) {
      if (found.size === wanted.size) return;
      const offset = base + Math.floor(member.bitOffset / 8);
      if (member.name === 0) {
        const inner = await this.strip(member.type);
        const { kind } = await this.type(inner);
        if (kind === "struct" || kind === "union") {
          await this.#findMembers(inner, offset, wanted, found, depth + 1);
        }
        continue;
      }
      const name = await this.#source.string(member.name);
      if (wanted.has(name) && !found.has(name)) found.set(name, { offset, type: member.type });
    }
  }

  /** The values of an enumeration by their names; null if the type is none, or has 64 bits. */
  async enumeration(id: number): Promise<Map<string, number> | null> {
    const { values } = await this.type(await this.strip(id));
    if (values === undefined) return null;
    const named = await Promise.all(
      values.map(async ({ name, value }) => [await this.#source.string(name), value] as const),
    );
    return new Map(named);
  }

  /** The layout of a struct or union; null if the type is neither. */
  async layout(id: number): Promise<StructLayout | null> {
    const stripped = await this.strip(id);
    const type = await this.type(stripped);
    if (type.kind !== "struct" && type.kind !== "union") return null;
    const members: LayoutMember[] = [];
    await this.#listMembers(stripped, 0, members, 0);
    return {
      kind: type.kind,
      name: await this.nameOf(stripped) || await this.nameOf(id),
      sizeBytes: type.sizeOrType,
      members,
    };
  }

  async #listMembers(
    id: number,
    baseBits: number,
    members: LayoutMember[],
    depth: number,
  ): Promise<void> {
    if (depth > DEEPEST || members.length > MAX_MEMBERS) {
      throw new KernelFormatError("type data (BTF)", `type ${id} has no end`);
    }
    for (const member of (await this.type(id)).members) {
      const bitOffset = baseBits + member.bitOffset;
      const inner = await this.strip(member.type);
      const { kind } = await this.type(inner);
      if (member.name === 0) {
        if (kind === "struct" || kind === "union") {
          await this.#listMembers(inner, bitOffset, members, depth + 1);
        }
        continue;
      }
      members.push({
        name: await this.#source.string(member.name),
        type: await this.cName(member.type),
        offset: Math.floor(bitOffset / 8),
        ...member.bitSize > 0 && { bits: { first: bitOffset % 8, width: member.bitSize } },
      });
    }
  }

  /** A type as C writes it, without the name of what has the type: `struct page *`, `u64[2]`. */
  async cName(id: number, depth = 0): Promise<string> {
    if (depth > DEEPEST) return "…";
    const type = await this.type(id);
    const name = await this.nameOf(id);
    const inner = () => this.cName(type.sizeOrType, depth + 1);
    switch (type.kind) {
      case "void":
        return "void";
      case "ptr": {
        const pointee = await inner();
        // A pointer to a function carries its star inside.
        return pointee.includes("(*)") ? pointee : `${pointee}${pointee.endsWith("*") ? "" : " "}*`;
      }
      case "array":
        return `${await this.cName(type.array!.element, depth + 1)}[${type.array!.count}]`;
      case "struct":
      case "union":
      case "enum":
        return `${type.kind} ${name || "{…}"}`;
      case "enum64":
        return `enum ${name || "{…}"}`;
      case "fwd":
        return `struct ${name}`;
      case "const":
      case "volatile":
        return `${type.kind} ${await inner()}`;
      case "restrict":
      case "type_tag":
        return await inner();
      case "func_proto":
        return `${await inner()} (*)()`;
      default:
        return name;
    }
  }
}
