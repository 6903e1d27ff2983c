import { formatAddress } from "../core/address.ts";
import { formatError, PagewalkError } from "../core/errors.ts";
import { FileRefusedError, openRegularFile } from "../core/regular_file.ts";
import { howToRead } from "../core/file_permission.ts";
import { readByBoth } from "./_agreement.ts";
import { FileMemory, readFully } from "./file_memory.ts";
import { ConnectionLostError } from "../monitor/errors.ts";
import {
  isBacked,
  type MemoryRange,
  type PhysicalMemory,
  type ReadOptions,
} from "./physical_memory.ts";
import type { MonitorMemory } from "./monitor_memory.ts";

/** Why a file cannot serve as a guest's RAM. */
export type RamFileFailure = "permission" | "noSuchFile" | "unreadable" | "notTheGuests";

/** A file that was given as a guest's RAM, and cannot serve as that. */
export class RamFileError extends PagewalkError {
  /** The file's path. */
  readonly path: string;
  /** Why it cannot serve. */
  readonly failure: RamFileFailure;

  /** Creates the error for one file. */
  constructor(failure: RamFileFailure, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
    this.failure = failure;
  }
}

/** How many places of each range are compared with a file, besides those that are named. */
const SAMPLES = 8;
const SAMPLE_BYTES = 64;
const PAGE_BYTES = 4096;
/** A running guest writes while it is compared, so not every place need be equal. */
const EQUAL_SHARE = 0.75;

/** One region of QEMU's memory, as the guest sees it. */
interface Region {
  name: string;
  ranges: MemoryRange[];
  /** How long a file that holds it must be. */
  lengthBytes: bigint;
}

/** A place in a region, and what the guest has there. */
interface Sample {
  address: bigint;
  offset: bigint;
  bytes: Uint8Array;
}

/** The memory in one file. */
export interface RamFile {
  readonly memory: FileMemory;
  /** The file's path. */
  readonly path: string;
}

/** A table's entry: what a verdict rests on. */
const ENTRY_BYTES = 8;
/** So many larger reads are compared one after the other, and then every so many-th. */
const FIRST_COMPARED = 16;
const THEN_EVERY = 32;

/**
 * A guest's physical memory, read from the files behind its RAM (`memory-backend-file` with `share=on`)
 * in microseconds. Where a file's bytes lie the monitor tells (`info mtree -f`); what is in no file, such
 * as ROM, is read through the monitor. {@linkcode openRamFiles} makes one.
 *
 * An old copy of a file looks like the file. So each entry of a walk is read by the monitor too and must
 * be the same, and so must the first page of the first 16 larger reads and of every 32nd after them: a
 * listing is spot-checked.
 */
export class RamFileMemory implements PhysicalMemory {
  readonly #files: readonly RamFile[];
  readonly #others: PhysicalMemory;
  #largeReads = 0;

  /** Reads from the first file that has all of a range, else from the other memory. */
  constructor(files: readonly RamFile[], others: PhysicalMemory) {
    this.#files = files;
    this.#others = others;
  }

  /**
   * Reads exactly so many bytes.
   *
   * @throws {MemoryReadError} if a byte cannot be read
   * @throws {RamFileError} if the file holds something else than the guest's memory
   */
  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const file = this.#files.find(({ memory }) => isBacked(memory.ranges, address, lengthBytes));
    if (file === undefined) return await this.#others.read(address, lengthBytes, options);
    const bytes = await file.memory.read(address, lengthBytes, options);
    if (!this.#isCompared(lengthBytes)) return bytes;
    const first = await this.#compare(file, address, Math.min(lengthBytes, PAGE_BYTES), options);
    if (first === null) return bytes;
    bytes.set(first);
    return bytes;
  }

  #isCompared(lengthBytes: number): boolean {
    if (lengthBytes <= ENTRY_BYTES) return true;
    const before = this.#largeReads++;
    return before < FIRST_COMPARED || before % THEN_EVERY === 0;
  }

  /** Returns the bytes that both ways agree on; null if there is nobody any more to compare with. */
  async #compare(
    file: RamFile,
    address: bigint,
    lengthBytes: number,
    options: ReadOptions,
  ): Promise<Uint8Array | null> {
    try {
      const { bytes, differsAt } = await readByBoth({
        file: () => file.memory.read(address, lengthBytes, options),
        monitor: () => this.#others.read(address, lengthBytes, options),
      });
      if (differsAt === null) return bytes;
      throw notTheGuests(file.path, address + BigInt(differsAt));
    } catch (error) {
      // QEMU has ended: its memory stays in the file as it was.
      if (error instanceof ConnectionLostError) return null;
      throw error;
    }
  }
}

function notTheGuests(path: string, address: bigint): RamFileError {
  return new RamFileError(
    "notTheGuests",
    path,
    `${path} is not this guest's RAM, or an old copy of it: the guest has other bytes at ${
      formatAddress(address)
    }. Give the mem-path of its memory-backend-file, which must have share=on`,
  );
}

/** Guest memory in files, and what closes them. */
export interface OpenRamFiles extends Disposable {
  /** The guest's memory. */
  readonly memory: PhysicalMemory;
}

/**
 * Opens the files behind a guest's RAM and finds out which region each is, by comparing some places
 * with what the monitor reads there. With several files (NUMA) their order does not matter.
 *
 * @param pages guest-physical pages that hold more than zeros, such as the vCPUs' page-table roots

 * @throws {RamFileError} if a file may not be read, is not there, or is not this guest's RAM
 * @throws {MonitorError} if the guest cannot be asked
 */
export async function openRamFiles(
  paths: readonly string[],
  monitor: MonitorMemory,
  pages: readonly bigint[],
): Promise<OpenRamFiles> {
  using cleanup = new DisposableStack();
  const regions = regionsOf(await monitor.ranges());
  const files: RamFile[] = [];
  for (const path of paths) {
    const file = cleanup.use(await openFile(path));
    const region = await regionIn(file, path, regions, { monitor, pages });
    regions.splice(regions.indexOf(region), 1);
    const memory = new FileMemory(file, region.ranges, { name: `the RAM file ${path}` });
    files.push({ memory, path });
    await comparePages(memory, path, monitor, pages);
  }
  const owned = cleanup.move();
  return {
    memory: new RamFileMemory(files, monitor),
    [Symbol.dispose]: () => owned.dispose(),
  };
}

/** The pages that are named must be the same to the last byte: another boot of one kernel has much in common. */
async function comparePages(
  file: FileMemory,
  path: string,
  monitor: PhysicalMemory,
  pages: readonly bigint[],
): Promise<void> {
  for (const page of new Set(pages)) {
    if (!isBacked(file.ranges, page, PAGE_BYTES)) continue;
    const { differsAt } = await readByBoth({
      file: () => file.read(page, PAGE_BYTES),
      monitor: () => monitor.read(page, PAGE_BYTES),
    });
    if (differsAt !== null) throw notTheGuests(path, page + BigInt(differsAt));
  }
}

function regionsOf(ranges: readonly MemoryRange[]): Region[] {
  const regions = new Map<string, Region>();
  for (const range of ranges) {
    const { name, offset } = range;
    const region = regions.get(name) ?? { name, ranges: [], lengthBytes: 0n };
    const end = offset + range.end - range.start;
    if (end > region.lengthBytes) region.lengthBytes = end;
    region.ranges.push(range);
    regions.set(name, region);
  }
  return [...regions.values()].filter(({ ranges }) => ranges.some(({ kind }) => kind === "ram"));
}

async function openFile(path: string): Promise<Deno.FsFile> {
  const { state } = await Deno.permissions.query({ name: "read", path });
  if (state !== "granted") throw notPermitted(path);
  try {
    return await openRegularFile(path);
  } catch (cause) {
    if (cause instanceof FileRefusedError) {
      throw new RamFileError("unreadable", path, `${cause.message}, the mem-path itself`, {
        cause,
      });
    }
    if (cause instanceof Deno.errors.NotFound) {
      throw new RamFileError("noSuchFile", path, `There is no file ${path}: check --ram`, {
        cause,
      });
    }
    if (cause instanceof Deno.errors.NotCapable) throw notPermitted(path, cause);
    const message = `The RAM file ${path} cannot be read: ${formatError(cause)}`;
    throw new RamFileError("unreadable", path, message, { cause });
  }
}

function notPermitted(path: string, cause?: unknown): RamFileError {
  const message = `No permission to read the RAM file ${path}: ${howToRead(path, cause)}`;
  return new RamFileError("permission", path, message, { cause });
}

/** Finds the region that a file holds. */
async function regionIn(
  file: Deno.FsFile,
  path: string,
  regions: readonly Region[],
  guest: { monitor: PhysicalMemory; pages: readonly bigint[] },
): Promise<Region> {
  const { size } = await file.stat();
  let different: bigint | null = null;
  const blank: [Region, Sample[]][] = [];
  for (const region of regions.filter((each) => each.lengthBytes <= BigInt(size))) {
    const samples = await samplesOf(region, guest);
    const telling = samples.filter(({ bytes }) => bytes.some((byte) => byte !== 0));
    if (telling.length === 0) {
      blank.push([region, samples]);
      continue;
    }
    const unequal = telling.filter((sample) => !isInFile(file, sample));
    if (unequal.length <= telling.length * (1 - EQUAL_SHARE)) return region;
    different ??= unequal[0]!.address;
  }
  // Zeros are found in any file; then its length must be right as well, and no place may differ.
  for (const [region, samples] of blank) {
    const fits = region.lengthBytes === BigInt(size);
    if (fits && samples.every((sample) => isInFile(file, sample))) return region;
  }
  const lengths = regions.map(({ name, lengthBytes }) => `${name} has ${lengthBytes}`).join(", ");
  const detail = different === null
    ? `it has ${size} bytes; of the guest's RAM, ${lengths}`
    : `the guest has other bytes at ${formatAddress(different)}`;
  throw new RamFileError(
    "notTheGuests",
    path,
    `${path} is not this guest's RAM, or an old copy of it (${detail}): give the mem-path of its memory-backend-file, ` +
      "which must have share=on",
  );
}

/** Pages of a region that are named, places spread over the rest of it, and what the guest has there. */
async function samplesOf(
  region: Region,
  { monitor, pages }: { monitor: PhysicalMemory; pages: readonly bigint[] },
): Promise<Sample[]> {
  const places = region.ranges.filter(({ kind }) => kind === "ram").flatMap((range) => {
    const { start, end, offset } = range;
    const step = (end - start) / BigInt(SAMPLES);
    const spread = Array.from({ length: SAMPLES }, (_, i) => start + (step * BigInt(i) & ~0xfffn));
    return [
      ...spread.map((address) => ({ address, lengthBytes: SAMPLE_BYTES })),
      ...pages.map((address) => ({ address, lengthBytes: PAGE_BYTES })),
    ].filter(({ address, lengthBytes }) => isBacked([range], address, lengthBytes))
      .map((place) => ({ ...place, offset: offset + place.address - start }));
  });
  return await Promise.all(places.map(async ({ address, lengthBytes, offset }) => ({
    address,
    offset,
    bytes: await monitor.read(address, lengthBytes),
  })));
}

function isInFile(file: Deno.FsFile, { offset, bytes }: Sample): boolean {
  const found = new Uint8Array(bytes.length);
  return readFully(file, found, offset) && found.every((byte, i) => byte === bytes[i]);
}
