import {
  FUNCTION,
  given,
  MILLISECONDS,
  type OptionShape,
  SIGNAL,
  wholeNumberFrom,
} from "../core/options.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import { KernelGoneError } from "./errors.ts";
import {
  type LogRange,
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
  /** Whether it still runs: what it has left in memory is no log any more. */
  isCurrent(): Promise<boolean>;
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
export async function readKernelLog(
  kernel: Omit<LogKernel, "isCurrent">,
  options: LogOptions,
): Promise<LogRecord[]> {
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

/** So many records are passed on together: that the kernel still runs is asked once for them. */
const TOGETHER = 64;
/** How often a kernel that logs nothing is asked whether it still runs. */
const IDLE_MS = 1000;

/**
 * Yields the records that are there, then each new one, until the signal ends it.
 *
 * @throws {KernelGoneError} if the kernel no longer runs
 */
export async function* followKernelLog(
  kernel: LogKernel,
  options: FollowLogOptions,
): AsyncGenerator<LogRecord, void> {
  const { intervalMs = 100, last, signal } = options;
  const reads = given({ signal });
  const follower = new Follower(kernel, reads);
  let asked = Date.now();
  for await (const batch of follower.begin(last)) {
    await follower.requireCurrent();
    yield* batch;
  }
  for (;;) {
    await pause(intervalMs, signal);
    for await (const batch of follower.next()) {
      await follower.requireCurrent();
      asked = Date.now();
      yield* batch;
    }
    if (Date.now() - asked < IDLE_MS) continue;
    await follower.requireCurrent();
    asked = Date.now();
  }
}

/** Reads a log piece by piece. What a kernel that is gone left in memory ends in an error. */
class Follower {
  readonly #kernel: LogKernel;
  readonly #options: ReadOptions;
  #ring: PrintkRing | null = null;
  #next = 0n;
  #waits = 0;

  constructor(kernel: LogKernel, options: ReadOptions) {
    this.#kernel = kernel;
    this.#options = options;
  }

  async requireCurrent(cause?: unknown): Promise<void> {
    if (await this.#kernel.isCurrent()) return;
    throw new KernelGoneError(this.#kernel.vmcoreinfo.osRelease, { cause });
  }

  /** The records that are there, only so many of the newest. */
  async *begin(last: number | undefined): AsyncGenerator<LogRecord[], void> {
    const { live, vmcoreinfo } = this.#kernel;
    const ring = this.#ring = await openPrintkRing(live, vmcoreinfo, this.#options);
    const range = newest(await logRange(live, ring, this.#options), last);
    yield* this.#read(newest(range, MAX_RECORDS));
  }

  /** Those that came since. */
  async *next(): AsyncGenerator<LogRecord[], void> {
    try {
      const head = await readU64(this.#kernel.live, this.#ring!.headId, this.#options) & ID_MASK;
      // One before the next is the last; a log that goes back is another boot's.
      if (head - this.#next + 1n & 1n << 61n) throw new KernelGoneError(this.#release);
      yield* this.#read(newest(rangeTo(this.#next, head, this.#ring!), MAX_RECORDS));
    } catch (error) {
      // Where the ring was there may be anything by now.
      await this.requireCurrent(error);
      throw error;
    }
  }

  get #release(): string {
    return this.#kernel.vmcoreinfo.osRelease;
  }

  async *#read(range: LogRange): AsyncGenerator<LogRecord[], void> {
    this.#next = range.first;
    let batch: LogRecord[] = [];
    for await (
      const { id, ...record } of readLog(this.#kernel.live, this.#ring!, range, this.#options)
    ) {
      // A record before this one is not complete yet, or was replaced: the first passes.
      if (id !== this.#next && this.#waits++ < MAX_WAITS) break;
      this.#waits = 0;
      batch.push(record);
      this.#next = id + 1n & ID_MASK;
      if (batch.length < TOGETHER) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
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
