import type { RegisterFormats } from "../../arch/register_formats.ts";
import type { CpuSource } from "../../arch/cpu_source.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import { FileMemory } from "../../memory/file_memory.ts";
import type { MemoryRange } from "../../memory/physical_memory.ts";
import { openEndpointFile } from "../../monitor/endpoint_file.ts";
import { NoSuchCpuError } from "../../monitor/errors.ts";
import { coreRanges } from "./core_ranges.ts";
import { readCpuNotes } from "./cpu_notes.ts";
import { type DumpBytes, fileBytes } from "./dump_bytes.ts";
import { readElfCore } from "./elf_core.ts";
import { NoRegistersError } from "./errors.ts";
import { dumpKind } from "./magics.ts";
import { type RamLayout, rawRanges } from "./ram_layout.ts";

/** How a dump is read. */
export interface OpenDumpOptions {
  /**
   * How a raw image lies in guest-physical memory.
   *
   * @default its offsets are addresses, if it is too small for a hole below 4 GiB
   */
  layout?: RamLayout;
}

/** What a dump holds. */
export interface DumpContents {
  /** An ELF core by `dump-guest-memory`, or raw memory. */
  readonly kind: "elf" | "raw";
  /** Was it taken with `-p`? Then memory that no vCPU maps may be missing, page tables too. */
  readonly paging: boolean;
  /** How the registers of its architecture are told; null in raw memory. */
  readonly formats: RegisterFormats | null;
  /** The registers of each vCPU; none in raw memory, and where a dump has no root register. */
  readonly registers: readonly GuestRegisters[];
  /** Which memory it holds, and where in the file. */
  readonly ranges: readonly MemoryRange[];
}

/** An open dump of a guest. */
export interface Dump extends DumpContents, Disposable {
  /** What it was opened as. */
  readonly endpoint: string;
  /** The registers, as any connector gives them. */
  readonly cpus: CpuSource;
  /** The memory, read piece by piece from the file. */
  readonly memory: FileMemory;
}

/**
 * Opens a dump: an ELF core by `dump-guest-memory`, or raw memory.
 *
 * @throws {ConnectError} if the file is not there or may not be read
 * @throws {DumpFormatError} if it is not a dump, compressed, cut short or damaged
 * @throws {InvalidArgumentError} if a raw image does not fit the layout
 */
export async function openDump(
  path: string,
  options: OpenDumpOptions = {},
): Promise<Dump> {
  const name = `dump:${path}`;
  const file = await openEndpointFile(path, name);
  try {
    const { size } = await file.stat();
    const contents = readDump(fileBytes(file, path, size), options);
    return {
      ...contents,
      endpoint: name,
      cpus: cpusOf(contents, name),
      memory: new FileMemory(file, contents.ranges, { name: `the dump ${path}` }),
      [Symbol.dispose]: () => file[Symbol.dispose](),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Reads what a dump's headers say.
 *
 * @throws {DumpFormatError} if it is not a dump, compressed, cut short or damaged
 * @throws {InvalidArgumentError} if a raw image does not fit the layout
 */
export function readDump(bytes: DumpBytes, options: OpenDumpOptions = {}): DumpContents {
  if (dumpKind(bytes) === "raw") {
    return {
      kind: "raw",
      formats: null,
      paging: false,
      registers: [],
      ranges: rawRanges(bytes.lengthBytes, options.layout),
    };
  }
  const core = readElfCore(bytes);
  return {
    kind: "elf",
    formats: core.formats,
    paging: core.paging,
    registers: readCpuNotes(bytes, core),
    ranges: coreRanges(core.segments, bytes),
  };
}

function cpusOf({ formats, registers }: DumpContents, endpoint: string): CpuSource {
  const requireRegisters = () => {
    if (formats === null) throw new NoRegistersError(endpoint);
    const { dumped, dumpNotice, modes } = formats;
    if (dumped === null) throw new NoRegistersError(endpoint, `has no root: ${dumpNotice}`, modes);
  };
  // Both are async, so that they reject instead of throwing.
  return {
    // deno-lint-ignore require-await
    async registers(cpu = 0) {
      requireRegisters();
      const found = registers[cpu];
      if (found) return found;
      const message = `${endpoint} has no vCPU ${cpu}, only 0 to ${registers.length - 1}`;
      throw new NoSuchCpuError(cpu, message, { endpoint });
    },
    // deno-lint-ignore require-await
    async allRegisters() {
      requireRegisters();
      return [...registers];
    },
  };
}
