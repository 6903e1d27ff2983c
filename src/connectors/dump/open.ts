import { ARCHITECTURES } from "../../arch/architectures.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { GuestSource } from "../connector.ts";
import { type Dump, openDump, type OpenDumpOptions } from "./dump.ts";

/**
 * Opens a dump as the way to a guest: registers by its notes, memory by the file. It has no monitor.
 *
 * @throws {InvalidArgumentError} if a raw image does not fit the layout, or is to be recorded
 * @throws {ConnectError} if the file is not there or may not be read
 * @throws {DumpFormatError} if it is not a dump, compressed, cut short or damaged
 */
export async function openDumpSource(
  path: string,
  options: OpenDumpOptions & { record?: string },
): Promise<GuestSource> {
  if (options.record !== undefined) {
    throw new InvalidArgumentError(
      `There is no monitor to record at dump:${path}: the dump itself is the recording`,
      options.record,
    );
  }
  const dump = await openDump(path, options);
  return {
    endpoint: dump.endpoint,
    qemuVersion: "",
    cpus: dump.cpus,
    memory: dump.memory,
    ...dump.kind === "elf" && { notice: noticeOf(dump) },
    close: () => Promise.resolve(dump[Symbol.dispose]()),
  };
}

function noticeOf({ formats, paging }: Dump): string {
  const { dumpNotice } = formats ?? ARCHITECTURES[0].registers;
  if (!paging) return dumpNotice;
  return `${dumpNotice}; it was taken with -p, so memory that no vCPU maps may be missing, page tables too`;
}
