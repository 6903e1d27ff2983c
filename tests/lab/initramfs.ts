/** One entry of an initramfs. */
export interface InitramfsEntry {
  /** Path without a leading slash. */
  path: string;
  /** Type and permissions, as in `stat(2)`. */
  mode: number;
  /** A file's content. */
  data?: Uint8Array;
  /** A device node's numbers. */
  device?: { major: number; minor: number };
}

/** A folder. */
export function folderEntry(path: string): InitramfsEntry {
  return { path, mode: 0o040755 };
}

/** A file that may be executed. */
export function fileEntry(path: string, data: Uint8Array | string): InitramfsEntry {
  return {
    path,
    mode: 0o100755,
    data: typeof data === "string" ? new TextEncoder().encode(data) : data,
  };
}

/** A character device. The kernel opens /dev/console before anything is mounted. */
export function characterDevice(path: string, major: number, minor: number): InitramfsEntry {
  return { path, mode: 0o020600, device: { major, minor } };
}

/**
 * Packs entries as the cpio format "newc" that Linux unpacks
 * (Documentation/driver-api/early-userspace/buffer-format.rst). It is left uncompressed: QEMU loads
 * it in one piece, and inflating it under TCG would cost more than it saves.
 */
export function packInitramfs(entries: readonly InitramfsEntry[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  function push(bytes: Uint8Array): void {
    const padding = (4 - (bytes.length % 4)) % 4;
    chunks.push(bytes, new Uint8Array(padding));
    length += bytes.length + padding;
  }
  entries.forEach((entry, index) => {
    push(header(entry, index + 1));
    if (entry.data) push(entry.data);
  });
  push(header({ path: "TRAILER!!!", mode: 0 }, 0));
  const archive = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    archive.set(chunk, at);
    at += chunk.length;
  }
  return archive;
}

/** The 110-byte header and the name, which together are padded to four bytes. */
function header(entry: InitramfsEntry, inode: number): Uint8Array {
  const fields = [
    inode,
    entry.mode,
    0, // user
    0, // group
    1, // links
    0, // time
    entry.data?.length ?? 0,
    0, // device that holds the file
    0,
    entry.device?.major ?? 0,
    entry.device?.minor ?? 0,
    entry.path.length + 1,
    0, // checksum: unused
  ];
  const digits = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return new TextEncoder().encode(`070701${digits}${entry.path}\0`);
}
