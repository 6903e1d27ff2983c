import type { ReadOptions } from "../memory/physical_memory.ts";
import { CapabilityError, KernelFormatError } from "./errors.ts";
import { type Reader, readU64, viewOf } from "./reader.ts";
import type { Vmcoreinfo } from "./vmcoreinfo.ts";

/** One record of the kernel's log. */
export interface LogRecord {
  /** Its number, counted from the first record since boot. */
  readonly sequence: bigint;
  /** Nanoseconds since boot, as the kernel's own clock counts. */
  readonly timeNs: bigint;
  /** How urgent it is: 0 emergency, 3 error, 4 warning, 6 information, 7 debugging. */
  readonly level: number;
  /** Who logged it: 0 is the kernel, others as in `syslog(3)`. */
  readonly facility: number;
  /** The text; it may have several lines. */
  readonly text: string;
}

/** Where the log is, and how its structures are laid out. */
export interface PrintkRing {
  /** How many descriptors there are, as a power of two. */
  readonly countBits: number;
  /** The descriptors: 64-bit state, begin and next. */
  readonly descriptors: bigint;
  /** The records' heads. */
  readonly infos: bigint;
  /** The address of the newest record's id. */
  readonly headId: bigint;
  /** The address of the oldest record's id. */
  readonly tailId: bigint;
  /** The size of the text ring in bytes, as a power of two. */
  readonly sizeBits: number;
  /** The text ring. */
  readonly text: bigint;
  /** The layout of descriptors and heads. */
  readonly layout: PrintkLayout;
}

/** Offsets and sizes that VMCOREINFO tells, in bytes. */
interface PrintkLayout {
  readonly descriptorBytes: number;
  readonly state: number;
  readonly begin: number;
  readonly next: number;
  readonly infoBytes: number;
  readonly sequence: number;
  readonly time: number;
  readonly textLength: number;
}

// kernel/printk/printk_ringbuffer.h: a descriptor's state is in the two high bits, its id below.
const ID_MASK = (1n << 62n) - 1n;
const FINALIZED = 2n;
/** Each text begins with its descriptor's id. */
const BLOCK_HEAD_BYTES = 8n;
/** Read at once: some tens of KiB. */
const CHUNK_RECORDS = 256;
const MAX_BITS = 30;
/** The kernel itself stores at most 1 KiB (PRINTKRB_RECORD_MAX, kernel/printk/internal.h). */
const MAX_TEXT_BYTES = 8192;
const STRUCTURE = "log";

/**
 * Finds the log (5.10 and later).
 *
 * @throws {CapabilityError} if VMCOREINFO does not tell of it
 * @throws {KernelFormatError} if it is not a log
 */
export async function openPrintkRing(
  reader: Reader,
  vmcoreinfo: Vmcoreinfo,
  options: ReadOptions = {},
): Promise<PrintkRing> {
  const variable = vmcoreinfo.symbols.get("prb");
  if (variable === undefined) {
    throw new CapabilityError(
      "dmesg",
      `This kernel (${vmcoreinfo.osRelease}) has an older log format: 5.10 or later is needed`,
    );
  }
  const ring = await readU64(reader, variable, options);
  const member = (name: string) => {
    const offset = vmcoreinfo.offsets.get(name);
    if (offset === undefined || offset < 0 || offset > 4096) throw unknown(name);
    return offset;
  };
  const size = (name: string) => {
    const bytes = vmcoreinfo.sizes.get(name);
    if (bytes === undefined || bytes < 8 || bytes > 4096) throw unknown(name);
    return bytes;
  };
  const descRing = BigInt(member("printk_ringbuffer.desc_ring"));
  const textRing = BigInt(member("printk_ringbuffer.text_data_ring"));
  const desc = (name: string) => ring + descRing + BigInt(member(`prb_desc_ring.${name}`));
  const text = (name: string) => ring + textRing + BigInt(member(`prb_data_ring.${name}`));
  const bits = async (address: bigint) => {
    const value = viewOf(await reader.read(address, 4, options)).getUint32(0, true);
    if (value < 1 || value > MAX_BITS) {
      throw new KernelFormatError(STRUCTURE, `its size is 2^${value}`, address);
    }
    return value;
  };
  const block = member("prb_desc.text_blk_lpos");
  return {
    countBits: await bits(desc("count_bits")),
    descriptors: await readU64(reader, desc("descs"), options),
    infos: await readU64(reader, desc("infos"), options),
    headId: desc("head_id"),
    tailId: desc("tail_id"),
    sizeBits: await bits(text("size_bits")),
    text: await readU64(reader, text("data"), options),
    layout: {
      descriptorBytes: size("prb_desc"),
      state: member("prb_desc.state_var"),
      begin: block + member("prb_data_blk_lpos.begin"),
      next: block + member("prb_data_blk_lpos.next"),
      infoBytes: size("printk_info"),
      sequence: member("printk_info.seq"),
      time: member("printk_info.ts_nsec"),
      textLength: member("printk_info.text_len"),
    },
  };
}

/** The ids of the records that are in the log now, the oldest first. */
export interface LogRange {
  /** The oldest record's id. */
  readonly first: bigint;
  /** How many there are. */
  readonly count: number;
}

/** Asks which records are in the log. */
export async function logRange(
  reader: Reader,
  ring: PrintkRing,
  options: ReadOptions = {},
): Promise<LogRange> {
  const tail = await readU64(reader, ring.tailId, options) & ID_MASK;
  const head = await readU64(reader, ring.headId, options) & ID_MASK;
  return rangeTo(tail, head, ring);
}

/** The records from one id up to another, no more than fit into the log. */
export function rangeTo(first: bigint, head: bigint, ring: PrintkRing): LogRange {
  const count = head - first + 1n & ID_MASK;
  const capacity = 1n << BigInt(ring.countBits);
  if (count <= capacity) return { first, count: Number(count) };
  // The log buffer has wrapped since: only the newest are left.
  return { first: head - capacity + 1n & ID_MASK, count: Number(capacity) };
}

/**
 * Reads records in order. One that is not complete yet, or that the kernel replaced while it was read,
 * is left out. The second result is the id after the last record that was complete.
 */
export async function* readLog(
  reader: Reader,
  ring: PrintkRing,
  range: LogRange,
  options: ReadOptions = {},
): AsyncGenerator<LogRecord & { id: bigint }, void> {
  for (let done = 0; done < range.count;) {
    const first = range.first + BigInt(done) & ID_MASK;
    const index = Number(first & mask(ring.countBits));
    const untilWrap = 2 ** ring.countBits - index;
    const count = Math.min(CHUNK_RECORDS, range.count - done, untilWrap);
    yield* await readChunk(reader, ring, { first, index, count }, options);
    done += count;
  }
}

async function readChunk(
  reader: Reader,
  ring: PrintkRing,
  { first, index, count }: { first: bigint; index: number; count: number },
  options: ReadOptions,
): Promise<(LogRecord & { id: bigint })[]> {
  const { layout } = ring;
  const readDescriptors = async () =>
    viewOf(
      await reader.read(
        ring.descriptors + BigInt(index * layout.descriptorBytes),
        count * layout.descriptorBytes,
        options,
      ),
    );
  const descriptors = await readDescriptors();
  const infos = viewOf(
    await reader.read(
      ring.infos + BigInt(index * layout.infoBytes),
      count * layout.infoBytes,
      options,
    ),
  );
  const complete: TextPlace[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * layout.descriptorBytes;
    const state = descriptors.getBigUint64(at + layout.state, true);
    if (state >> 62n !== FINALIZED || (state & ID_MASK) !== (first + BigInt(i) & ID_MASK)) continue;
    complete.push({
      i,
      begin: descriptors.getBigUint64(at + layout.begin, true),
      next: descriptors.getBigUint64(at + layout.next, true),
      // struct printk_info: u16 text_len, u8 facility, u8 flags:5 and level:3.
      textLength: infos.getUint16(i * layout.infoBytes + layout.textLength, true),
    });
  }
  const texts = await readTexts(reader, ring, complete, options);
  const after = await readDescriptors();
  const records: (LogRecord & { id: bigint })[] = [];
  for (const [place, { i, textLength }] of complete.entries()) {
    const state = i * layout.descriptorBytes + layout.state;
    if (after.getBigUint64(state, true) !== descriptors.getBigUint64(state, true)) continue;
    const at = i * layout.infoBytes;
    records.push({
      id: first + BigInt(i) & ID_MASK,
      sequence: infos.getBigUint64(at + layout.sequence, true),
      timeNs: infos.getBigUint64(at + layout.time, true),
      facility: infos.getUint8(at + layout.textLength + 2),
      level: infos.getUint8(at + layout.textLength + 3) >> 5,
      text: decoder.decode(texts[place]!.subarray(0, textLength)),
    });
  }
  return records;
}

const decoder = new TextDecoder();

/** A record of a chunk, and where its text is. */
interface TextPlace {
  /** Its place in the chunk. */
  readonly i: number;
  readonly begin: bigint;
  readonly next: bigint;
  readonly textLength: number;
}

/** The text blocks of records: neighbours in the ring, so that few reads fetch them all. */
async function readTexts(
  reader: Reader,
  ring: PrintkRing,
  records: readonly TextPlace[],
  options: ReadOptions,
): Promise<Uint8Array[]> {
  const texts: Uint8Array[] = [];
  let run: { place: number; start: bigint; end: bigint }[] = [];
  for (const [place, { begin, next, textLength }] of records.entries()) {
    texts.push(new Uint8Array(0));
    const block = blockOf(ring, begin, next);
    if (!block) continue;
    // No more than the text: a damaged ring's blocks may be any size, and overlap.
    const longest = block.start + BigInt(Math.min(textLength, MAX_TEXT_BYTES));
    if (longest < block.end) block.end = longest;
    const last = run.at(-1);
    if (last && (block.start < last.end || block.start - last.end > 64n)) {
      await readRun(reader, ring, run, texts, options);
      run = [];
    }
    run.push({ place, ...block });
  }
  await readRun(reader, ring, run, texts, options);
  return texts;
}

/** A block's text as distances from the start of the ring; null for a record without text. */
function blockOf(
  ring: PrintkRing,
  begin: bigint,
  next: bigint,
): { start: bigint; end: bigint } | null {
  // Odd positions mean that there is no text (printk_ringbuffer.h, NO_LPOS, FAILED_LPOS).
  if (begin & 1n) return null;
  const sizeBits = BigInt(ring.sizeBits);
  const size = 1n << sizeBits;
  const wraps = begin >> sizeBits !== next >> sizeBits && (next & size - 1n) !== 0n;
  // What would not fit before the end of the ring is at its beginning.
  const start = wraps ? 0n : begin & size - 1n;
  const end = wraps ? next & size - 1n : start + BigInt.asUintN(64, next - begin);
  if (end > size || end < start + BLOCK_HEAD_BYTES) return null;
  return { start: start + BLOCK_HEAD_BYTES, end };
}

async function readRun(
  reader: Reader,
  ring: PrintkRing,
  run: readonly { place: number; start: bigint; end: bigint }[],
  texts: Uint8Array[],
  options: ReadOptions,
): Promise<void> {
  if (run.length === 0) return;
  const start = run[0]!.start;
  const bytes = await reader.read(ring.text + start, Number(run.at(-1)!.end - start), options);
  for (const block of run) {
    texts[block.place] = bytes.subarray(Number(block.start - start), Number(block.end - start));
  }
}

function mask(bits: number): bigint {
  return (1n << BigInt(bits)) - 1n;
}

function unknown(name: string): CapabilityError {
  return new CapabilityError("dmesg", `The layout of the kernel's log is not known: ${name}`);
}
