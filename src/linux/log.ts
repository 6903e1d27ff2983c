import type { ReadOptions } from "../memory/physical_memory.ts";
import type { Kernel } from "./kernel.ts";
import {
  logRange,
  type LogRecord,
  openPrintkRing,
  type PrintkRing,
  rangeTo,
  readLog,
} from "./printk_ring.ts";
import { readU64 } from "./reader.ts";

/** Which records of the log are read. */
export interface LogOptions extends ReadOptions {
  /**
   * Only so many of the newest.
   *
   * @default all that are there
   */
  last?: number;
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

/** How many looks a record may stay incomplete before those after it are taken without it. */
const MAX_WAITS = 5;
const ID_MASK = (1n << 62n) - 1n;

/** Reads the kernel's log. */
export async function readKernelLog(kernel: Kernel, options: LogOptions): Promise<LogRecord[]> {
  const ring = await openPrintkRing(kernel.live, kernel.vmcoreinfo, options);
  const range = newest(await logRange(kernel.live, ring, options), options.last);
  const records: LogRecord[] = [];
  for await (const { id: _, ...record } of readLog(kernel.live, ring, range, options)) {
    records.push(record);
  }
  return records;
}

/** Yields the records that are there, then each new one, until the signal ends it. */
export async function* followKernelLog(
  kernel: Kernel,
  options: FollowLogOptions,
): AsyncGenerator<LogRecord, void> {
  const { intervalMs = 100, last, signal } = options;
  const reads = signal ? { signal } : {};
  const ring = await openPrintkRing(kernel.live, kernel.vmcoreinfo, reads);
  let range = newest(await logRange(kernel.live, ring, reads), last);
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

async function following(kernel: Kernel, ring: PrintkRing, next: bigint, options: ReadOptions) {
  const head = await readU64(kernel.live, ring.headId, options) & ID_MASK;
  return rangeTo(next, head, ring);
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
