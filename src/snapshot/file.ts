import { checkOptions, given, LIST } from "../core/options.ts";
import { formatAddress, parseAddress } from "../core/address.ts";
import type { Architecture } from "../arch/architecture.ts";
import { ARCHITECTURES } from "../arch/architectures.ts";
import { IOMMU_FORMATS, type IommuFormat } from "../iommu/formats.ts";
import type { Regime } from "../translate/regime.ts";
import { secondStage } from "../translate/second_stage.ts";
import type { SecondStage } from "../translate/second_stage_rule.ts";
import type { MemoryReadFailure } from "../memory/physical_memory.ts";
import { damaged, packPieces, PieceReader } from "./_pieces.ts";
import { SnapshotError } from "./errors.ts";
import { type FailedRead, type MemoryPiece, PieceMemory } from "./piece_memory.ts";
import type { Snapshot } from "./snapshot.ts";

// The file: magic, version (u32), length of the header (u32), the header as JSON, the pieces compressed
// by gzip (each as in _pieces.ts), and the SHA-256 of all that. Numbers are little-endian.
// The line end in the magic shows whether a transfer as text has changed the file.
const MAGIC = new TextEncoder().encode("PWSNAP\r\n");
const VERSION = 1;
const HEAD_BYTES = 16;
const CHECKSUM_BYTES = 32;
/** More than the failed reads of a whole listing take: JSON of more was made to fill the memory. */
const MAX_HEADER_BYTES = 2 ** 24;

interface Header {
  takenAt: string;
  source: string;
  isWhole: boolean;
  userRoot?: string;
  /** The name of the architecture; the first one's if it is left out. */
  architecture?: string;
  context: { root: string; [name: string]: unknown };
  /** What translates the addresses in those tables, and where they lead. */
  stage2?: { architecture: string; mode: string; root: string };
  failures: { address: string; lengthBytes: number; failure: MemoryReadFailure }[];
}

/** A kind of tables that a file can be of: a processor's, or an IOMMU's. */
type FileFormat = Pick<Architecture, "regimeFrom"> & Pick<IommuFormat, "name">;

/** Options of {@linkcode decodeSnapshot}. */
export interface DecodeSnapshotOptions {
  /**
   * The architectures whose snapshots are read.
   *
   * @default {ARCHITECTURES}
   */
  readonly architectures?: readonly Architecture[];
}

/**
 * Packs a snapshot into the bytes of a file.
 *
 * @throws {SnapshotError} if it was taken through a second stage that a file cannot name, such as EPT
 *
 * @example Usage
 * ```ts
 * import { decodeSnapshot, encodeSnapshot, pagingContext, snapshot } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = simulatedGuest();
 * const taken = await snapshot(guest.memory, pagingContext(guest.registers(0)));
 * const again = await decodeSnapshot(await encodeSnapshot(taken));
 * assertEquals(again.context.root, taken.context.root);
 * ```
 */
export async function encodeSnapshot(snapshot: Snapshot): Promise<Uint8Array<ArrayBuffer>> {
  const { context, memory, takenAt, source, isWhole } = snapshot;
  const { spans: _spans, rules, stage2, userView, noTables: _none, ...data } = context;
  const { assuredFrameBits: _bits, ...state } = data;
  const { architecture } = rules;
  const header: Header = {
    takenAt: takenAt.toISOString(),
    source,
    isWhole,
    ...userView !== undefined && { userRoot: formatAddress(userView) },
    ...architecture !== ARCHITECTURES[0].name && { architecture },
    context: { ...state, root: formatAddress(context.root) },
    ...stage2 && { stage2: packStage(stage2) },
    failures: memory.failures.map((read) => ({ ...read, address: formatAddress(read.address) })),
  };
  const headerBytes = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(HEAD_BYTES);
  head.set(MAGIC);
  const view = new DataView(head.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, headerBytes.length, true);
  const body = await compress(packPieces(memory.pieces));
  const content = join([head, headerBytes, body]);
  return join([content, await checksum(content)]);
}

/** How a file names a second stage: by the tables of an IOMMU. */
function packStage({ architecture, mode, root }: SecondStage): Header["stage2"] & object {
  if (iommuRegime({ architecture, mode, root }) === null) {
    throw new SnapshotError(
      `A snapshot through a second stage (${mode}) cannot be kept in a file: use it while the program runs`,
    );
  }
  return { architecture, mode, root: formatAddress(root) };
}

function iommuRegime(
  { architecture, mode, root }: Pick<SecondStage, "architecture" | "mode" | "root">,
): Regime | null {
  const format = IOMMU_FORMATS.find(({ name }) => name === architecture);
  return format?.regimeFrom({ mode, root }) ?? null;
}

/**
 * Reads the bytes of a snapshot file.
 *
 * @throws {SnapshotError} if they are none, are damaged, or were written by a later version
 *
 * @example Usage
 * ```ts
 * import { decodeSnapshot, SnapshotError } from "@pagewalk/pagewalk";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => decodeSnapshot(new Uint8Array(100)), SnapshotError);
 * ```
 */
export async function decodeSnapshot(
  bytes: Uint8Array<ArrayBuffer>,
  options: DecodeSnapshotOptions = {},
): Promise<Snapshot> {
  checkOptions(options, "the options of a snapshot's file", { architectures: LIST });
  if (bytes.length < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new SnapshotError("Not a snapshot: the file has no snapshot header");
  }
  if (bytes.length < HEAD_BYTES + CHECKSUM_BYTES) throw damaged("it is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new SnapshotError(
      `The snapshot has version ${version}, this program reads ${VERSION}: use a newer pagewalk`,
    );
  }
  const content = bytes.subarray(0, -CHECKSUM_BYTES);
  const expected = bytes.subarray(-CHECKSUM_BYTES);
  const actual = await checksum(content);
  if (actual.some((byte, i) => byte !== expected[i])) throw damaged("its checksum is wrong");
  const headerBytes = view.getUint32(12, true);
  if (headerBytes > MAX_HEADER_BYTES) throw damaged("its header is too long");
  const bodyAt = HEAD_BYTES + headerBytes;
  const header = readHeader(content.subarray(HEAD_BYTES, bodyAt));
  const pieces = await unpackBody(content.subarray(bodyAt));
  return {
    context: regimeOf(header, options.architectures ?? ARCHITECTURES),
    memory: new PieceMemory(pieces, header.failures.map(readFailure)),
    takenAt: new Date(header.takenAt),
    source: header.source,
    isWhole: header.isWhole,
  };
}

function regimeOf(header: Header, architectures: readonly Architecture[]): Regime {
  const name = header.architecture ?? ARCHITECTURES[0].name;
  const formats: readonly FileFormat[] = [...architectures, ...IOMMU_FORMATS];
  const architecture = formats.find((each) => each.name === name);
  if (!architecture) {
    throw new SnapshotError(
      `The snapshot is of an architecture that this program does not know, ${
        JSON.stringify(name)
      }: ` +
        "use a newer pagewalk",
    );
  }
  const { context, userRoot, stage2 } = header;
  const first = architecture.regimeFrom({ ...context, root: parseAddress(context.root) });
  const below = stage2 && iommuRegime({ ...stage2, root: parseAddress(stage2.root) });
  if (!first || below === null) throw damaged("its header is not that of a snapshot");
  const regime = below === undefined ? first : { ...first, stage2: secondStage(below) };
  return userRoot === undefined ? regime : { ...regime, userView: parseAddress(userRoot) };
}

/** The checksum says that the header is what was written; this says that it was written by pagewalk. */
function readHeader(bytes: Uint8Array): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged("its header cannot be read", cause);
  }
  const { takenAt, source, isWhole, context, failures } = header ?? {};
  const { userRoot, architecture, stage2 } = header ?? {};
  const isHeader = typeof takenAt === "string" && typeof source === "string" &&
    typeof isWhole === "boolean" && Array.isArray(failures) && !isNaN(Date.parse(takenAt)) &&
    typeof context === "object" && isHex(context?.root) &&
    (architecture === undefined || typeof architecture === "string") &&
    (userRoot === undefined || isHex(userRoot)) &&
    (stage2 === undefined || (isHex(stage2?.root) &&
      [stage2.architecture, stage2.mode].every((name) => typeof name === "string"))) &&
    failures.every((read) =>
      isHex(read?.address) && Number.isSafeInteger(read.lengthBytes) &&
      ["outsideRam", "unreadable", "secondStage"].includes(read.failure)
    );
  if (!isHeader) throw damaged("its header is not that of a snapshot");
  return {
    ...{ takenAt, source, isWhole, context, failures },
    ...given({ userRoot, architecture, stage2 }),
  };
}

function isHex(value: unknown): boolean {
  return typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value);
}

function readFailure({ address, ...rest }: Header["failures"][number]): FailedRead {
  return { ...rest, address: parseAddress(address) };
}

async function unpackBody(bytes: Uint8Array<ArrayBuffer>): Promise<MemoryPiece[]> {
  const reader = new PieceReader();
  try {
    const unpacked = slices(bytes).pipeThrough(new DecompressionStream("gzip"));
    for await (const chunk of unpacked) reader.take(chunk);
  } catch (cause) {
    if (cause instanceof SnapshotError) throw cause;
    throw damaged("its tables cannot be unpacked", cause);
  }
  reader.end();
  return reader.pieces;
}

/** All that a slice unpacks to is in memory at once, up to a thousand times its length. */
const SLICE_BYTES = 4096;

function slices(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at += SLICE_BYTES));
    },
  }, { highWaterMark: 0 });
}

async function compress(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

async function checksum(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
