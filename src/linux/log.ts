import {
  FUNCTION,
  given,
  MILLISECONDS,
  type OptionShape,
  SIGNAL,
  wholeNumberFrom,
} from "../core/options.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import {
  logRange,
  type LogRecord,
  openPrintkRing,
  type PrintkRing,
  rangeTo,
  readLog,
} from "./printk_ring.ts";
import { type Reader, readU64 } from "./reader.ts";
import type { Vmcoreinfo } from "./vmcoreinfo.ts";

/** What of a kernel its log is read by. */
export interface LogKernel {
  /** Reads memory as it is now. */
  readonly live: Reader;
  /** What the kernel tells crash tools. */
  readonly vmcoreinfo: Vmcoreinfo;
}

/** Which records of the log are read. */
export interface LogOptions extends ReadOptions {
  /**
   * Only so many of the newest.
   *
   * @default all that are there
   */
  last?: number;
  /**
   * Called with the reason if the log is longer than what is read of it: the newest 262,144 records,
   * and 64 MiB of text. What is returned then is a part of the log.
   */
  onPartial?(reason: string): void;
}

/** How the log is followed. */
export interface FollowLogOptions extends LogOptions {
  /**
   * Milliseconds between two looks at the log.
   *
   * @default {100}
   */
  intervalMs?: number;
}

/** The checks of {@linkcode LogOptions}. */
export const LOG_SHAPE: OptionShape<LogOptions> = {
  signal: SIGNAL,
  last: wholeNumberFrom(0),
  onPartial: FUNCTION,
};

/** The checks of {@linkcode FollowLogOptions}. */
export const FOLLOW_LOG_SHAPE: OptionShape<FollowLogOptions> = {
  ...LOG_SHAPE,
  intervalMs: MILLISECONDS,
};

/** Linux keeps a descriptor for each 32 bytes of text (PRB_AVGBITS): a log of 8 MiB. */
const MAX_RECORDS = 1 << 18;
const MAX_TEXT_CHARACTERS = 64 << 20;

/** How many looks a record may stay incomplete before those after it are taken without it. */
const MAX_WAITS = 5;
const ID_MASK = (1n << 62n) - 1n;

/** Reads the kernel's log. */
export async function readKernelLog(kernel: LogKernel, options: LogOptions): Promise<LogRecord[]> {
  const ring = await openPrintkRing(kernel.live, kernel.vmcoreinfo, options);
  const all = newest(await logRange(kernel.live, ring, options), options.last);
  const range = newest(all, MAX_RECORDS);
  if (range.count < all.count) {
    options.onPartial?.(
      `only the newest ${MAX_RECORDS} of the log's ${all.count} records were read`,
    );
  }
  const records: LogRecord[] = [];
  let characters = 0;
  for await (const { id: _, ...record } of readLog(kernel.live, ring, range, options)) {
    records.push(record);
    // More than the whole ring holds, if its blocks overlap: the log is damaged, or forged.
    characters += record.text.length;
    if (characters > MAX_TEXT_CHARACTERS) {
      options.onPartial?.(
        `only the first ${records.length} records were read: they have 64 MiB of text, which overlap`,
      );
      break;
    }
  }
  return records;
}

/** Yields the records that are there, then each new one, until the signal ends it. */
export async function* followKernelLog(
  kernel: LogKernel,
  options: FollowLogOptions,
): AsyncGenerator<LogRecord, void> {
  const { intervalMs = 100, last, signal } = options;
  const reads = given({ signal });
  const ring = await openPrintkRing(kernel.live, kernel.vmcoreinfo, reads);
  let range = newest(newest(await logRange(kernel.live, ring, reads), last), MAX_RECORDS);
  let waits = 0;
  for (;;) {
    let next = range.first;
    for await (const { id, ...record } of readLog(kernel.live, ring, range, reads)) {
      // A record before this one is not complete yet, or was replaced: the first passes.
      if (id !== next && waits++ < MAX_WAITS) break;
      waits = 0;
      yield record;
      next = id + 1n & ID_MASK;
    }
    await pause(intervalMs, signal);
    range = await following(kernel, ring, next, reads);
  }
}

async function following(kernel: LogKernel, ring: PrintkRing, next: bigint, options: ReadOptions) {
  const head = await readU64(kernel.live, ring.headId, options) & ID_MASK;
  return newest(rangeTo(next, head, ring), MAX_RECORDS);
}

function newest(range: { first: bigint; count: number }, last = range.count) {
  const skipped = Math.max(0, range.count - last);
  return { first: range.first + BigInt(skipped) & ID_MASK, count: range.count - skipped };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
