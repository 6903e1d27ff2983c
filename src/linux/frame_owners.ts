import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { listTables } from "../translate/listing.ts";
import { levelOf, type Regime } from "../translate/regime.ts";
import type { LinuxProcess } from "./processes.ts";

/** A process's entry that maps a frame. */
export interface FrameOwner {
  /** The process id. */
  readonly pid: number;
  /** The process's name. */
  readonly comm: string;
  /** The virtual address by which it reaches the frame. */
  readonly address: bigint;
}

/** A process whose page table a frame is. */
export interface TableOwner {
  /** The process id. */
  readonly pid: number;
  /** The process's name. */
  readonly comm: string;
  /** The table's level. */
  readonly level: number;
  /** Its name, such as `PT`. */
  readonly name: string;
  /** The first virtual address that it serves. */
  readonly address: bigint;
}

/** Who has a frame. */
export interface FrameOwners {
  /** Those that map it. */
  readonly owners: readonly FrameOwner[];
  /** Those whose page table it is. */
  readonly tables: readonly TableOwner[];
  /** What of their tables could not be read, or changed meanwhile, in a sentence each. */
  readonly problems: readonly string[];
}

/** A hostile process maps one frame without end. */
const MAX_OWNERS = 10_000;

/**
 * Finds who maps a frame, or whose page table it is, by the tables of all processes as they are: each is read
 * twice. The kernel's half is left out, which maps all of memory.
 */
export async function findFrameOwners(
  memory: PhysicalMemory,
  processes: readonly { readonly process: LinuxProcess; readonly regime: Regime }[],
  frame: bigint,
  options: ReadOptions = {},
): Promise<FrameOwners> {
  const owners: FrameOwner[] = [];
  const tables: TableOwner[] = [];
  const problems: string[] = [];
  for (const { process: { pid, comm }, regime } of processes) {
    const [{ addressBits, levels } = { addressBits: 0, levels: [] }] = regime.spans;
    const topLevel = levels[0]?.format;
    if (topLevel && regime.root === frame) {
      tables.push({ pid, comm, level: topLevel.level, name: topLevel.name, address: 0n });
    }
    const range = { start: 0n, lengthBytes: 2 ** (addressBits - 1) };
    const list = { ...options, tables: true, expandShared: true, recheck: true };
    for await (const batch of listTables(memory, regime, range, list)) {
      for (const record of batch) {
        const { address } = record;
        if (record.kind === "page") {
          const offset = frame - record.physicalAddress;
          if (offset >= 0n && offset < BigInt(record.lengthBytes)) {
            if (owners.length === MAX_OWNERS) {
              problems.push(`more than ${MAX_OWNERS} entries map it: the rest is left out`);
              return { owners, tables, problems: [...new Set(problems)] };
            }
            owners.push({ pid, comm, address: address + offset });
          }
        } else if (record.kind === "table") {
          const level = record.entry.level - 1 - (record.entry.skippedLevels ?? 0);
          const name = levelOf(regime, level)?.format.name ?? "table";
          if (record.entry.frame === frame) tables.push({ pid, comm, level, name, address });
        } else if (record.kind !== "reservedBits" && record.kind !== "notPresent") {
          problems.push(`pid ${pid} ${comm}: some of its tables could not be read as a whole`);
        }
      }
    }
  }
  return { owners, tables, problems: [...new Set(problems)] };
}
