import type { ReadOptions } from "../memory/physical_memory.ts";
import { isChange } from "./changed.ts";
import { KernelFormatError } from "./errors.ts";
import { GAP_BYTES, readTogether } from "./read_together.ts";
import { cString, type Reader, viewOf } from "./reader.ts";

/** Where the members of kernel structures lie: `task_struct.pid` → bytes from the start. */
export type StructOffsets = ReadonlyMap<string, number>;

/** A member to read: its name and how many bytes it has. */
export type MemberSizes = Readonly<Record<string, number>>;

/** Larger than any structure of the kernel that is read here. */
const MAX_OFFSET = 1 << 20;

/** Members of one structure that were read at about the same time. */
export class StructView<M extends string> {
  readonly #members: ReadonlyMap<string, Uint8Array>;
  /** Where the structure begins. */
  readonly address: bigint;

  /** Takes over the members' bytes. */
  constructor(address: bigint, members: ReadonlyMap<string, Uint8Array>) {
    this.address = address;
    this.#members = members;
  }

  /** The member's bytes. */
  bytes(name: M): Uint8Array {
    return this.#members.get(name)!;
  }

  /** The member as an unsigned number of its own size: up to 8 bytes. */
  u64(name: M): bigint {
    const bytes = this.bytes(name);
    const view = viewOf(bytes);
    return bytes.length === 8 ? view.getBigUint64(0, true) : BigInt(this.u32(name));
  }

  /** The member as an unsigned number of 32 bits or fewer; of a longer one, the low 32 bits. */
  u32(name: M): number {
    const bytes = this.bytes(name);
    const view = viewOf(bytes);
    if (bytes.length >= 4) return view.getUint32(0, true);
    return bytes.length === 2 ? view.getUint16(0, true) : bytes[0]!;
  }

  /** The member as text up to its first NUL. */
  text(name: M): string {
    return cString(this.bytes(name));
  }
}

/** Reads some members of one kind of structure with as few reads as is sensible. */
export class StructReader<M extends string> {
  readonly #struct: string;
  readonly #gapBytes: number;
  readonly #spans: {
    readonly start: number;
    readonly end: number;
    readonly members: { readonly name: string; readonly at: number; readonly bytes: number }[];
  }[] = [];
  readonly #offsets: ReadonlyMap<string, number>;

  /**
   * Plans the reads.
   *
   * @throws {KernelFormatError} if a member's offset is not known
   */
  constructor(
    struct: string,
    members: Readonly<Partial<Record<M, number>>>,
    offsets: StructOffsets,
    { gapBytes = GAP_BYTES }: { readonly gapBytes?: number } = {},
  ) {
    this.#struct = struct;
    this.#gapBytes = gapBytes;
    const placed = (Object.entries(members) as [M, number][])
      .map(([name, bytes]) => ({ name, bytes, offset: this.#offsetIn(offsets, name) }))
      .sort((a, b) => a.offset - b.offset);
    this.#offsets = new Map(placed.map(({ name, offset }) => [name, offset]));
    for (const { name, bytes, offset } of placed) {
      const last = this.#spans.at(-1);
      if (last && offset - last.end < gapBytes) {
        last.members.push({ name, at: offset - last.start, bytes });
        this.#spans[this.#spans.length - 1] = { ...last, end: Math.max(last.end, offset + bytes) };
      } else {
        this.#spans.push({ start: offset, end: offset + bytes, members: [{ name, at: 0, bytes }] });
      }
    }
  }

  /** A member's distance from the structure's start. */
  offset(name: M): bigint {
    return BigInt(this.#offsets.get(name)!);
  }

  /** Reads the members of the structure at an address. */
  async read(
    reader: Reader,
    address: bigint,
    options?: ReadOptions,
  ): Promise<StructView<M>> {
    const members = new Map<string, Uint8Array>();
    // Asked for together: over a monitor in one packet.
    await Promise.all(this.#spans.map(async (span) => {
      const start = address + BigInt(span.start);
      const bytes = await reader.read(start, span.end - span.start, options);
      for (const { name, at, bytes: length } of span.members) {
        members.set(name, bytes.subarray(at, at + length));
      }
    }));
    return new StructView<M>(address, members);
  }

  /**
   * Reads the members of many structures of this kind: neighbours together, and all at once. What the
   * kernel has changed so that it cannot be read is null.
   */
  async readAll(
    reader: Reader,
    addresses: readonly bigint[],
    options?: ReadOptions,
  ): Promise<(StructView<M> | null)[]> {
    const spans = this.#spans.length;
    const pieces = addresses.flatMap((address) =>
      this.#spans.map(({ start, end }) => ({
        address: address + BigInt(start),
        lengthBytes: end - start,
      }))
    );
    const bytes = await readTogether(reader, pieces, { ...options, gapBytes: this.#gapBytes });
    return addresses.map((address, i) => {
      const members = new Map<string, Uint8Array>();
      for (const [j, span] of this.#spans.entries()) {
        const piece = bytes[i * spans + j]!;
        if (!(piece instanceof Uint8Array)) {
          if (!isChange(piece.error)) throw piece.error;
          return null;
        }
        for (const { name, at, bytes: length } of span.members) {
          members.set(name, piece.subarray(at, at + length));
        }
      }
      return new StructView<M>(address, members);
    });
  }

  #offsetIn(offsets: StructOffsets, name: string): number {
    const offset = offsets.get(`${this.#struct}.${name}`);
    if (offset === undefined || offset < 0 || offset > MAX_OFFSET) {
      throw new KernelFormatError(
        `struct ${this.#struct}`,
        `where its member ${name} lies is not known`,
      );
    }
    return offset;
  }
}
