import { Btf } from "./btf/btf.ts";
import type { BtfBlob } from "./btf/btf_source.ts";
import type { StructOffsets } from "./struct_reader.ts";

/**
 * Finds where members of a struct lie, by the struct's name, in the first of some BTFs that has it; null
 * if none does. Members that it does not have are absent.
 *
 * @throws {KernelFormatError} if the type data is garbage
 */
export async function structOffsets(
  blobs: readonly BtfBlob[],
  struct: string,
  members: readonly string[],
): Promise<StructOffsets | null> {
  for (const blob of blobs) {
    for (const id of blob.idsOf(struct)) {
      // A struct that is only declared there has the name too.
      const { kind, members: has } = await blob.type(id);
      if (kind !== "struct" || has.length === 0) continue;
      const found = await new Btf(blob).members(id, members);
      return new Map([...found].map(([name, { offset }]) => [`${struct}.${name}`, offset]));
    }
  }
  return null;
}
