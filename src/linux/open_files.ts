import type { ReadOptions } from "../memory/physical_memory.ts";
import { CapabilityError } from "./errors.ts";
import { type Reader, viewOf } from "./reader.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";

/** An open file of a process. */
export interface OpenFile {
  /** Its number in the process. */
  readonly fd: number;
  /** Where the process's table of files has it. */
  readonly slot: bigint;
  /** The virtual address of its `struct file`. */
  readonly file: bigint;
  /** `f_op`: what its driver does with it. */
  readonly operations: bigint;
  /** `f_inode`. */
  readonly inode: bigint;
  /** `private_data`: what the driver keeps of it. */
  readonly privateData: bigint;
}

/** Whose files are looked at. */
export interface FileOwner {
  /** The virtual address of its first thread's `task_struct`. */
  readonly task: bigint;
  /** How many threads it has. */
  readonly threadCount: number;
  /** The `task_struct`s of all its threads: read only where they may have files of their own. */
  threads(): Promise<readonly bigint[]>;
}

/** The kernel's own limit (`fs.nr_open`), unless it was raised: the table grows with the files in it. */
const MAX_PLACES = 1 << 20;
/** More would take a monitor seconds. */
const MAX_FILES = 1 << 16;
const CHUNK_PLACES = 8192;

/**
 * Lists the files that a task has open while it goes on: what was open all the time is in the list, and
 * what is closed meanwhile may be there as garbage, so that its slot is to be read again. A task that
 * has ended has none.
 *
 * @throws {CapabilityError} if it has more than 65536 files open
 */
export async function readOpenFiles(
  reader: Reader,
  offsets: StructOffsets,
  task: bigint,
  options: ReadOptions = {},
): Promise<OpenFile[]> {
  const tasks = new StructReader("task_struct", { files: 8 }, offsets);
  const table = (await tasks.read(reader, task, options)).u64("files");
  return table === 0n ? [] : await readTable(reader, offsets, table, options);
}

/**
 * Lists the files of all threads of a process, as {@linkcode readOpenFiles} does. They share one table, but
 * a thread may have one of its own (`unshare(CLONE_FILES)`), and hold alone what is open there; the first
 * one may have ended.
 *
 * @throws {CapabilityError} if more than 65536 files are open
 * @throws {InconsistentListError} if the threads change faster than they can be read
 */
export async function readFilesOfThreads(
  reader: Reader,
  offsets: StructOffsets,
  { task, threadCount, threads }: FileOwner,
  options: ReadOptions = {},
): Promise<OpenFile[]> {
  if (threadCount === 1) return await readOpenFiles(reader, offsets, task, options);
  const tasks = new StructReader("task_struct", { files: 8 }, offsets);
  const first = (await tasks.read(reader, task, options)).u64("files");
  if (first !== 0n && await usersOf(reader, offsets, first, options) === threadCount) {
    return await readTable(reader, offsets, first, options);
  }
  const views = await tasks.readAll(reader, await threads(), options);
  const tables = new Set(views.map((view) => view?.u64("files") ?? 0n));
  const files = new Map<string, OpenFile>();
  for (const table of tables) {
    if (table === 0n) continue;
    for (const each of await readTable(reader, offsets, table, options)) {
      // A table begins as a copy of another one: what both have is one file.
      const key = `${each.fd} ${each.file}`;
      if (!files.has(key)) files.set(key, each);
    }
    if (files.size > MAX_FILES) throw tooMany(files.size);
  }
  return [...files.values()];
}

/** How many threads share a table, of whatever process; null if the kernel's types do not tell. */
async function usersOf(
  reader: Reader,
  offsets: StructOffsets,
  table: bigint,
  options: ReadOptions,
): Promise<number | null> {
  if (!offsets.has("files_struct.count")) return null;
  const tables = new StructReader("files_struct", { count: 4 }, offsets);
  return (await tables.read(reader, table, options)).u32("count");
}

async function readTable(
  reader: Reader,
  offsets: StructOffsets,
  table: bigint,
  options: ReadOptions,
): Promise<OpenFile[]> {
  const tables = new StructReader("files_struct", { fdt: 8 }, offsets);
  const slots = new StructReader("fdtable", { max_fds: 4, fd: 8 }, offsets);
  const members = { f_op: 8, f_inode: 8, private_data: 8 } as const;
  const files = new StructReader("file", members, offsets);

  const fdt = (await tables.read(reader, table, options)).u64("fdt");
  const view = await slots.read(reader, fdt, options);
  const [first, count] = [view.u64("fd"), view.u32("max_fds")];
  if (count > MAX_PLACES) throw tooMany(count);
  const places: { fd: number; slot: bigint; file: bigint }[] = [];
  for (let i = 0; i < count; i += CHUNK_PLACES) {
    const length = Math.min(CHUNK_PLACES, count - i);
    const bytes = viewOf(await reader.read(first + BigInt(i * 8), length * 8, options));
    for (let j = 0; j < length; j++) {
      const file = bytes.getBigUint64(j * 8, true);
      if (file !== 0n) places.push({ fd: i + j, slot: first + BigInt((i + j) * 8), file });
    }
    if (places.length > MAX_FILES) throw tooMany(count);
  }
  const views = await files.readAll(reader, places.map(({ file }) => file), options);
  return places.flatMap(({ fd, slot, file }, i) => {
    const open = views[i];
    // It was closed meanwhile.
    if (!open) return [];
    return {
      fd,
      slot,
      file,
      operations: open.u64("f_op"),
      inode: open.u64("f_inode"),
      privateData: open.u64("private_data"),
    };
  });
}

function tooMany(places: number): CapabilityError {
  return new CapabilityError(
    "vfio",
    `A process has more than ${MAX_FILES} files open (room for ${places}): they are not listed, and ` +
      "VFIO's are not looked for among them",
  );
}
