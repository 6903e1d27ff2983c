import { readFully } from "../../memory/file_memory.ts";
import { formatError } from "../../core/errors.ts";
import { DumpFormatError } from "./errors.ts";

/** The bytes of a dump by their place in the file. Nothing is taken on trust: every read is bounded. */
export interface DumpBytes {
  /** The file's path, for messages. */
  readonly path: string;
  /** The file's length. */
  readonly lengthBytes: number;
  /**
   * The bytes at a place.
   *
   * @throws {DumpFormatError} if the file ends before
   */
  at(offset: bigint, lengthBytes: number): DataView;
}

/** The bytes of an open file. */
export function fileBytes(file: Deno.FsFile, path: string, lengthBytes: number): DumpBytes {
  return bounded(path, lengthBytes, (offset, count) => {
    const bytes = new Uint8Array(count);
    let isComplete: boolean;
    try {
      isComplete = readFully(file, bytes, offset);
    } catch (cause) {
      throw new DumpFormatError(path, `it cannot be read: ${formatError(cause)}`, { cause });
    }
    if (!isComplete) throw cutShort(path, lengthBytes);
    return new DataView(bytes.buffer);
  });
}

/** Bytes at hand, as in a test. */
export function bufferBytes(bytes: Uint8Array, path = "the dump"): DumpBytes {
  return bounded(path, bytes.length, (offset, count) => {
    return new DataView(bytes.buffer, bytes.byteOffset + Number(offset), count);
  });
}

function bounded(path: string, lengthBytes: number, at: DumpBytes["at"]): DumpBytes {
  return {
    path,
    lengthBytes,
    at(offset, count) {
      if (offset + BigInt(count) > BigInt(lengthBytes)) throw cutShort(path, lengthBytes);
      return at(offset, count);
    },
  };
}

function cutShort(path: string, lengthBytes: number): DumpFormatError {
  const problem = `its headers name bytes past its end at ${lengthBytes}: it is cut short or ` +
    "damaged, so dump the guest again";
  return new DumpFormatError(path, problem);
}
