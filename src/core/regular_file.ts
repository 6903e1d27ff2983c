import { PagewalkError } from "./errors.ts";

/** A path that leads to no regular file, or to one that is too large to be what it should be. */
export class FileRefusedError extends PagewalkError {
  /** The path as given. */
  readonly path: string;

  /** Creates the error for one path. */
  constructor(path: string, why: string) {
    super(`${path} ${why}`);
    this.path = path;
  }
}

/** Only a pipe that was put in the file's place a moment ago keeps an open waiting. */
const OPEN_TIMEOUT_MS = 5000;

/**
 * Opens a file for reading if it is a regular one: a pipe waits for somebody to write to it, a device such
 * as `/dev/zero` never ends, and a folder has no bytes. What was opened is looked at, not just the path,
 * which may lead elsewhere by then.
 *
 * @throws {FileRefusedError} if the path leads to something else
 * @throws {Deno.errors.NotFound} and others of `Deno.open`
 */
export async function openRegularFile(path: string): Promise<Deno.FsFile> {
  requireRegular(path, await Deno.stat(path));
  const file = await openInTime(path);
  try {
    requireRegular(path, await file.stat());
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Reads a regular file as a whole.
 *
 * @param maxBytes the most that it may have
 * @throws {FileRefusedError} if the path leads to something else, or the file is too large
 * @throws {Deno.errors.NotFound} and others of `Deno.open`
 */
export async function readRegularFile(
  path: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  using file = await openRegularFile(path);
  return await readUpTo(file, path, maxBytes);
}

/**
 * Reads an open file to its end.
 *
 * @throws {FileRefusedError} if it has more than so many bytes; no more memory than that is used
 */
export async function readUpTo(
  file: Deno.FsFile,
  path: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = await file.stat();
  if (size > maxBytes) throw tooLarge(path, maxBytes);
  // A file may grow while it is read, and those of /proc have no size, so the size is only a first guess.
  let bytes = new Uint8Array(size + 1);
  let length = 0;
  for (;;) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) return bytes.subarray(0, length);
    length += read;
    if (length > maxBytes) throw tooLarge(path, maxBytes);
    if (length === bytes.length) {
      const more = new Uint8Array(Math.min(2 * length + 4096, maxBytes + 1));
      more.set(bytes);
      bytes = more;
    }
  }
}

/**
 * Opens a file for reading and appending, which is made if it is not there, if it is or becomes a regular
 * one. Opened for both, a pipe keeps nobody waiting.
 *
 * @throws {FileRefusedError} if the path leads to something else
 */
export function openAppendableFileSync(path: string): Deno.FsFile {
  const options = { read: true, append: true, create: true, mode: 0o600 };
  const file = Deno.openSync(path, options);
  try {
    requireRegular(path, file.statSync());
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openInTime(path: string): Promise<Deno.FsFile> {
  const opening = Deno.open(path);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), OPEN_TIMEOUT_MS);
  });
  try {
    const file = await Promise.race([opening, late]);
    if (file !== null) return file;
  } finally {
    clearTimeout(timer);
  }
  opening.then((file) => file.close(), () => {}); // Whoever opened it has gone.
  throw new FileRefusedError(path, "cannot be opened in time: is it a pipe?");
}

function requireRegular(path: string, { isFile, isDirectory, ...info }: Deno.FileInfo): void {
  if (isFile) return;
  const what = isDirectory
    ? "a folder"
    : info.isFifo
    ? "a pipe"
    : info.isSocket
    ? "a socket"
    : info.isCharDevice || info.isBlockDevice
    ? "a device"
    : "no regular file";
  throw new FileRefusedError(path, `is ${what}: name a regular file`);
}

function tooLarge(path: string, maxBytes: number): FileRefusedError {
  return new FileRefusedError(
    path,
    `has more than ${maxBytes} bytes, too many for a file of this kind`,
  );
}
