import { KernelFormatError } from "../errors.ts";
import { viewOf } from "../reader.ts";

/** The kinds of BTF types (include/uapi/linux/btf.h). */
export type BtfKind =
  | "void"
  | "int"
  | "ptr"
  | "array"
  | "struct"
  | "union"
  | "enum"
  | "fwd"
  | "typedef"
  | "volatile"
  | "const"
  | "restrict"
  | "func"
  | "func_proto"
  | "var"
  | "datasec"
  | "float"
  | "decl_tag"
  | "type_tag"
  | "enum64";

const KINDS: readonly BtfKind[] = [
  "void",
  "int",
  "ptr",
  "array",
  "struct",
  "union",
  "enum",
  "fwd",
  "typedef",
  "volatile",
  "const",
  "restrict",
  "func",
  "func_proto",
  "var",
  "datasec",
  "float",
  "decl_tag",
  "type_tag",
  "enum64",
];

/** What follows a type's head, in bytes, besides what follows for each of its elements. */
const FIXED: Partial<Record<BtfKind, number>> = { int: 4, array: 12, var: 4, decl_tag: 4 };
/** What follows for each element (member, value, parameter), in bytes. */
const PER_ELEMENT: Partial<Record<BtfKind, number>> = {
  struct: 12,
  union: 12,
  enum: 8,
  func_proto: 8,
  datasec: 12,
  enum64: 12,
};

/** The length of a type's head. */
export const BTF_HEAD_BYTES = 12;

/** A member of a struct or union. */
export interface BtfMember {
  /** Where its name is among the strings; 0 if it has none. */
  readonly name: number;
  /** The number of its type. */
  readonly type: number;
  /** Its distance from the start, in bits. */
  readonly bitOffset: number;
  /** The width of a bit field; 0 for an ordinary member. */
  readonly bitSize: number;
}

/** One type, decoded; names are places among the strings. */
export interface BtfType {
  /** What it is. */
  readonly kind: BtfKind;
  /** Where its name is among the strings; 0 if it has none. */
  readonly name: number;
  /** Its size in bytes (int, enum, struct, union, float), or the number of the type it refers to. */
  readonly sizeOrType: number;
  /** The members of a struct or union. */
  readonly members: readonly BtfMember[];
  /** An array's element type and length. */
  readonly array: { readonly element: number; readonly count: number } | null;
  /** The values of an enumeration of 32 bits. */
  readonly values?: readonly { readonly name: number; readonly value: number }[];
  /** An integer's encoding: `signed`, `char` and `bool` bits. */
  readonly encoding: number;
  /** Its length in the type data, in bytes. */
  readonly lengthBytes: number;
}

/** Number 0: no type at all. */
export const BTF_VOID: BtfType = {
  kind: "void",
  name: 0,
  sizeOrType: 0,
  members: [],
  array: null,
  encoding: 0,
  lengthBytes: 0,
};

/**
 * Tells from a type's head how long it is with all that follows.
 *
 * @throws {KernelFormatError} if there is no such kind
 */
export function btfTypeLength(head: Uint8Array, at = 0): number {
  const info = viewOf(head).getUint32(at + 4, true);
  const kind = kindOf(info);
  return BTF_HEAD_BYTES + (FIXED[kind] ?? 0) + (PER_ELEMENT[kind] ?? 0) * (info & 0xffff);
}

/**
 * Decodes the type at a place.
 *
 * @throws {KernelFormatError} if there is no such kind, or the bytes end before it does
 */
export function decodeBtfType(bytes: Uint8Array, at = 0): BtfType {
  if (at + BTF_HEAD_BYTES > bytes.length) throw cutOff();
  const view = viewOf(bytes);
  const info = view.getUint32(at + 4, true);
  const kind = kindOf(info);
  const lengthBytes = btfTypeLength(bytes, at);
  if (at + lengthBytes > bytes.length) throw cutOff();
  const after = at + BTF_HEAD_BYTES;
  return {
    kind,
    name: view.getUint32(at, true),
    sizeOrType: view.getUint32(at + 8, true),
    members: kind === "struct" || kind === "union"
      ? decodeMembers(view, after, info & 0xffff, Boolean(info >>> 31))
      : [],
    array: kind === "array"
      ? { element: view.getUint32(after, true), count: view.getUint32(after + 8, true) }
      : null,
    ...kind === "enum" && {
      values: Array.from({ length: info & 0xffff }, (_, i) => ({
        name: view.getUint32(after + i * 8, true),
        value: view.getUint32(after + i * 8 + 4, true),
      })),
    },
    encoding: kind === "int" ? view.getUint32(after, true) >>> 24 : 0,
    lengthBytes,
  };
}

function decodeMembers(
  view: DataView,
  at: number,
  count: number,
  hasBitFields: boolean,
): BtfMember[] {
  return Array.from({ length: count }, (_, i) => {
    const place = at + i * 12;
    const offset = view.getUint32(place + 8, true);
    return {
      name: view.getUint32(place, true),
      type: view.getUint32(place + 4, true),
      bitOffset: hasBitFields ? offset & 0xff_ffff : offset,
      bitSize: hasBitFields ? offset >>> 24 : 0,
    };
  });
}

/** Is it a kind that people ask for by its name: a struct, a union or an enumeration? */
export function isNamedAlone(info: number): boolean {
  return ["struct", "union", "enum", "enum64"].includes(kindOf(info));
}

function kindOf(info: number): BtfKind {
  const number = info >>> 24 & 0x1f;
  const kind = KINDS[number];
  if (kind === undefined) throw new KernelFormatError("type data (BTF)", `no kind ${number}`);
  return kind;
}

function cutOff(): KernelFormatError {
  return new KernelFormatError("type data (BTF)", "a type is cut off");
}
