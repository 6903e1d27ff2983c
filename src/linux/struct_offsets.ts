import { Btf } from "./btf/btf.ts";
import type { NamedTypes } from "./btf/live_structs.ts";
import type { StructOffsets } from "./struct_reader.ts";

/**
 * Finds where members of a struct lie, by the struct's name, in the first of some BTFs that has it; null
 * if none does. Members that it does not have are absent.
 *
 * @throws {KernelFormatError} if the type data is garbage
 */
export async function structOffsets(
  blobs: readonly NamedTypes[],
  struct: string,
  members: readonly string[],
): Promise<StructOffsets | null> {
  const found = await findStruct(blobs, struct);
  return found && await offsetsOf(found.btf, found.id, struct, members);
}

/**
 * The same of the struct that a member of another one is, or a member's member (`node.rb`): a type of the base is reached by its number, and
 * need not be looked for by its name.
 *
 * @throws {KernelFormatError} if the type data is garbage
 */
export async function memberOffsets(
  blobs: readonly NamedTypes[],
  [struct, member]: readonly [struct: string, member: string],
  name: string,
  members: readonly string[],
): Promise<StructOffsets | null> {
  const found = await findStruct(blobs, struct);
  if (!found) return null;
  let id = found.id;
  for (const part of member.split(".")) {
    const place = (await found.btf.members(id, [part])).get(part);
    if (!place) return null;
    id = place.type;
  }
  return await offsetsOf(found.btf, id, name, members);
}

async function findStruct(
  blobs: readonly NamedTypes[],
  name: string,
): Promise<{ btf: Btf; id: number } | null> {
  for (const blob of blobs) {
    const [id] = await blob.structsNamed(name);
    if (id !== undefined) return { btf: new Btf(blob), id };
  }
  return null;
}

async function offsetsOf(
  btf: Btf,
  id: number,
  struct: string,
  members: readonly string[],
): Promise<StructOffsets> {
  const found = await btf.members(id, members);
  return new Map([...found].map(([name, { offset }]) => [`${struct}.${name}`, offset]));
}
