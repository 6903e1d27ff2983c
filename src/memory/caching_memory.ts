import { InvalidArgumentError } from "../core/errors.ts";
import { checkOptions, type OptionShape, wholeNumberFrom } from "../core/options.ts";
import { MemoryReadError, type PhysicalMemory, type ReadOptions } from "./physical_memory.ts";

/** How a {@linkcode CachingMemory} keeps what it has read. */
export interface CachingMemoryOptions {
  /**
   * The piece that is read and kept as one, in bytes: a power of two. Over a monitor a command costs
   * about as much as reading 1 KiB, so that smaller pieces save nothing.
   *
   * @default {1024}
   */
  granuleBytes?: number;
  /**
   * How much is kept at most, in bytes. What was used longest ago goes first. With 0 nothing is kept:
   * only those who read the same at the same time share a read.
   *
   * @default {16_777_216}
   */
  capacityBytes?: number;
}

const CACHING_SHAPE: OptionShape<CachingMemoryOptions> = {
  granuleBytes: wholeNumberFrom(8),
  capacityBytes: wholeNumberFrom(0),
};

/** Beyond this a granule's number would be rounded. No guest has memory there. */
const HIGHEST_CACHED = 1n << 52n;

/**
 * Physical memory that keeps what was read, in granules. It does not notice the guest writing: use it
 * for what stays, such as a kernel's read-only data, or {@linkcode CachingMemory.forget} in between.
 *
 * A granule that cannot be read as a whole fails nothing: then exactly the bytes asked for are read.
 *
 * @example Usage
 * ```ts
 * import { CachingMemory } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new CachingMemory(simulatedGuest().memory);
 * const once = await memory.read(0x1000n, 16);
 * assertEquals(await memory.read(0x1000n, 16), once); // not read again
 * ```
 */
export class CachingMemory implements PhysicalMemory {
  readonly #memory: PhysicalMemory;
  readonly #granuleBytes: number;
  readonly #capacity: number;
  /** By granule number, the one used longest ago first. */
  #kept = new Map<number, Uint8Array>();
  #underWay = new Map<number, Promise<Uint8Array>>();

  /**
   * Wraps a memory; nothing is read yet.
   *
   * @throws {InvalidArgumentError} if the granule is not a power of two
   */
  constructor(memory: PhysicalMemory, options: CachingMemoryOptions = {}) {
    checkOptions(options, "the options of a cache", CACHING_SHAPE);
    const { granuleBytes = 1024, capacityBytes = 16 * 1024 * 1024 } = options;
    if (!Number.isInteger(Math.log2(granuleBytes)) || granuleBytes < 8) {
      throw new InvalidArgumentError(
        `granuleBytes must be a power of two from 8 up: it is ${granuleBytes}`,
        granuleBytes,
      );
    }
    this.#memory = memory;
    this.#granuleBytes = granuleBytes;
    this.#capacity = capacityBytes === 0
      ? 0
      : Math.max(1, Math.floor(capacityBytes / granuleBytes));
  }

  /** Forgets everything: the next reads ask the guest again. */
  forget(): void {
    // New maps, so that reads under way end in the old ones.
    this.#kept = new Map();
    this.#underWay = new Map();
  }

  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const granuleBytes = this.#granuleBytes;
    const tooLarge = this.#capacity > 0 && lengthBytes > this.#capacity * granuleBytes;
    if (lengthBytes === 0 || tooLarge || address + BigInt(lengthBytes) > HIGHEST_CACHED) {
      return await this.#memory.read(address, lengthBytes, options);
    }
    const start = Number(address);
    const first = Math.floor(start / granuleBytes);
    const last = Math.floor((start + lengthBytes - 1) / granuleBytes);
    const offset = start - first * granuleBytes;
    if (first === last) {
      const kept = this.#use(first);
      if (kept) return kept.subarray(offset, offset + lengthBytes);
    }
    try {
      const granules = await untilAborted(this.#granules(first, last), options.signal);
      if (granules.length === 1) return granules[0]!.subarray(offset, offset + lengthBytes);
      const bytes = new Uint8Array(granules.length * granuleBytes);
      granules.forEach((granule, i) => bytes.set(granule, i * granuleBytes));
      return bytes.subarray(offset, offset + lengthBytes);
    } catch (error) {
      if (!(error instanceof MemoryReadError)) throw error;
      // A granule may reach past the end of RAM while the bytes asked for do not.
      return await this.#memory.read(address, lengthBytes, options);
    }
  }

  /** Granules from the cache, from reads under way, and the rest in as few reads as possible. */
  #granules(first: number, last: number): Promise<Uint8Array[]> {
    const granules: (Uint8Array | Promise<Uint8Array>)[] = [];
    for (let at = first; at <= last;) {
      const known = this.#use(at) ?? this.#underWay.get(at);
      if (known) {
        granules.push(known);
        at++;
        continue;
      }
      let end = at + 1;
      while (end <= last && !this.#kept.has(end) && !this.#underWay.has(end)) end++;
      granules.push(...this.#fetch(at, end - at));
      at = end;
    }
    return Promise.all(granules);
  }

  /** Starts one read of adjacent granules that all callers share, so no caller's signal ends it. */
  #fetch(first: number, count: number): Promise<Uint8Array>[] {
    const granuleBytes = this.#granuleBytes;
    const kept = this.#kept;
    const underWay = this.#underWay;
    const whole = this.#memory.read(BigInt(first) * BigInt(granuleBytes), count * granuleBytes);
    return Array.from({ length: count }, (_, i) => {
      const granule = whole.then((bytes) => {
        const part = bytes.subarray(i * granuleBytes, (i + 1) * granuleBytes);
        if (this.#capacity > 0) kept.set(first + i, part);
        return part;
      }).finally(() => {
        underWay.delete(first + i);
        if (kept.size > this.#capacity) kept.delete(kept.keys().next().value!);
      });
      // It may fail after its only reader was called off; whoever waits still gets the error.
      granule.catch(() => {});
      underWay.set(first + i, granule);
      return granule;
    });
  }

  #use(granule: number): Uint8Array | undefined {
    const bytes = this.#kept.get(granule);
    if (bytes) {
      this.#kept.delete(granule);
      this.#kept.set(granule, bytes);
    }
    return bytes;
  }
}

/** The promise's result, or the signal's reason if that comes first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
