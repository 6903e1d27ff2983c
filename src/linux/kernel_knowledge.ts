import type { KernelImage } from "./kernel_image.ts";
import type { KallsymsTables, OffsetKind } from "./kallsyms/tables.ts";

/**
 * What was learned about one build of the kernel and is the same in every boot of it. Addresses are
 * distances from `_text`, since the image is moved as a whole.
 */
export interface KernelKnowledge {
  /** The build's id, from VMCOREINFO. */
  readonly buildId: string;
  /** What can be seen of the image before anything is known: a hint whether this may be the build. */
  readonly shape: string;
  /** Where kallsyms lies. */
  readonly kallsyms: RelativeTables;
  /** Symbols that were looked up; null for those that the kernel does not have. */
  readonly symbols: Readonly<Record<string, string | null>>;
  /** Offsets of members that were found, by the group that they were looked up in. */
  readonly offsets: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** {@linkcode KallsymsTables} with distances from `_text`, as decimal text. */
export interface RelativeTables {
  readonly count: number;
  readonly namesBytes: number;
  readonly offsetKind: OffsetKind;
  readonly relativeBase: string | null;
  readonly offsets: string;
  readonly names: string;
  readonly markers: string;
  readonly seqs: string | null;
  readonly tokenTable: string;
}

/** Keeps what was learned about kernels. Nothing in it is secret, and none of it is a guest's data. */
export interface KernelCache {
  /** What is known of builds whose image has that shape; most often none or one. */
  find(shape: string): Promise<KernelKnowledge[]>;
  /** Keeps what is known of one build, in place of what was kept of it before. */
  keep(knowledge: KernelKnowledge): Promise<void>;
}

/** The image's shape: the lengths of its code and read-only data, and how far they lie apart. */
export function shapeOf({ text, textEnd, rodata }: KernelImage): string {
  return [textEnd - text, rodata.start - text, rodata.end - rodata.start]
    .map((distance) => distance.toString(16)).join("-");
}

/** Makes tables independent of where the image lies now. */
export function relativeTables(tables: KallsymsTables, text: bigint): RelativeTables {
  const away = (address: bigint) => String(address - text);
  const { count, namesBytes, offsetKind } = tables;
  return {
    count,
    namesBytes,
    offsetKind,
    relativeBase: offsetKind === "self" ? null : away(tables.relativeBase),
    offsets: away(tables.offsets),
    names: away(tables.names),
    markers: away(tables.markers),
    seqs: tables.seqs === null ? null : away(tables.seqs),
    tokenTable: away(tables.tokenTable),
  };
}

/** The tables of an image that lies at `text`. */
export function absoluteTables(tables: RelativeTables, text: bigint): KallsymsTables {
  const at = (distance: string) => text + BigInt(distance);
  const { count, namesBytes, offsetKind } = tables;
  return {
    count,
    namesBytes,
    offsetKind,
    relativeBase: tables.relativeBase === null ? 0n : at(tables.relativeBase),
    offsets: at(tables.offsets),
    names: at(tables.names),
    markers: at(tables.markers),
    seqs: tables.seqs === null ? null : at(tables.seqs),
    tokenTable: at(tables.tokenTable),
  };
}
