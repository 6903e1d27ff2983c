import { ATTRIBUTE, type Dwarf, type DwarfEntry, TAG } from "./dwarf.ts";

/** A member of a struct, as far as its type is looked at. */
export interface ElfMember {
  /** Its name. */
  readonly name: string;
  /** Where it begins in the struct. */
  readonly offset: number;
  /** How many bytes it has; 0 where its type is not told. */
  readonly sizeBytes: number;
  /** The names of its values, if it is an enumeration. */
  readonly values: ReadonlyMap<bigint, string> | null;
}

/** An array of structs. */
export interface StructArray {
  /** The variable's name. */
  readonly name: string;
  /** Where the array begins in the variable: it may be a member of a struct. */
  readonly offset: number;
  /** How many structs it has. */
  readonly count: number;
  /** The length of one. */
  readonly structBytes: number;
  /** The members of one. */
  readonly members: readonly ElfMember[];
}

const PASSED = new Set<number>([TAG.typedef, TAG.const, TAG.volatile, TAG.restrict]);
const MAX_STEPS = 32;

/** The type behind typedefs and qualifiers. */
function plain(dwarf: Dwarf, offset: number | null): DwarfEntry | null {
  let entry = dwarf.at(offset);
  for (let i = 0; i < MAX_STEPS && entry !== null && PASSED.has(entry.tag); i++) {
    entry = dwarf.at(entry.type);
  }
  return entry;
}

function number(entry: DwarfEntry, attribute: number): number | null {
  const value = entry.numbers.get(attribute);
  return value === undefined || value < 0n || value > 2n ** 31n ? null : Number(value);
}

/** How many elements an array has; null if that is not told. */
function countOf(array: DwarfEntry): number | null {
  const range = array.children.filter(({ tag }) => tag === TAG.subrange);
  if (range.length !== 1) return null;
  const count = number(range[0]!, ATTRIBUTE.count);
  const upper = number(range[0]!, ATTRIBUTE.upperBound);
  return count ?? (upper === null ? null : upper + 1);
}

function sizeOf(dwarf: Dwarf, type: DwarfEntry | null, addressBytes: number): number {
  if (type === null) return 0;
  if (type.tag === TAG.pointer) return number(type, ATTRIBUTE.byteSize) ?? addressBytes;
  if (type.tag !== TAG.array) return number(type, ATTRIBUTE.byteSize) ?? 0;
  const element = plain(dwarf, type.type);
  // An array of arrays is not looked into.
  const isFlat = element !== null && element.tag !== TAG.array;
  return isFlat ? (countOf(type) ?? 0) * sizeOf(dwarf, element, addressBytes) : 0;
}

/** The members of a struct, in order. */
function membersOf(dwarf: Dwarf, struct: DwarfEntry, addressBytes: number): ElfMember[] {
  return struct.children.filter(({ tag, name }) => tag === TAG.member && name !== null)
    .map((member) => {
      const type = plain(dwarf, member.type);
      const values = type?.tag === TAG.enumeration
        ? new Map(
          type.children.filter(({ tag }) => tag === TAG.enumerator)
            .map(({ name, numbers }) => [numbers.get(ATTRIBUTE.constValue) ?? -1n, name ?? ""]),
        )
        : null;
      return {
        name: member.name!,
        offset: number(member, ATTRIBUTE.memberLocation) ?? 0,
        sizeBytes: sizeOf(dwarf, type, addressBytes),
        values,
      };
    });
}

/** The arrays of structs among a file's variables, also those that are a member of a struct. */
export function* structArrays(dwarf: Dwarf, addressBytes: number): Generator<StructArray> {
  for (const { tag, name, type } of dwarf.top) {
    if (tag !== TAG.variable || name === null) continue;
    const direct = plain(dwarf, type);
    if (direct?.tag === TAG.array) yield* asArray(dwarf, name, direct, 0, addressBytes);
    if (direct?.tag !== TAG.structure) continue;
    for (const member of direct.children.filter((each) => each.tag === TAG.member)) {
      const inner = plain(dwarf, member.type);
      const offset = number(member, ATTRIBUTE.memberLocation) ?? 0;
      if (inner?.tag === TAG.array) yield* asArray(dwarf, name, inner, offset, addressBytes);
    }
  }
}

function* asArray(
  dwarf: Dwarf,
  name: string,
  array: DwarfEntry,
  offset: number,
  addressBytes: number,
): Generator<StructArray> {
  const [count, struct] = [countOf(array), plain(dwarf, array.type)];
  const structBytes = struct?.tag === TAG.structure ? number(struct, ATTRIBUTE.byteSize) : null;
  if (count === null || count === 0 || struct === null || !structBytes) return;
  yield { name, offset, count, structBytes, members: membersOf(dwarf, struct, addressBytes) };
}
