import type { MemoryReadError, PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { PageTableEntry } from "./entry.ts";
import type { Rights } from "./rights.ts";

/** One translation by the second stage. */
export interface SecondStageRecord {
  /** What was translated: the address of a table's entry, or the result of the first stage. */
  readonly of: "table" | "result";
  /** The guest-physical address that was translated. */
  readonly address: bigint;
  /** The name of the second stage's regime, such as `EPT`. */
  readonly mode: string;
  /** The machine's address of the second stage's top table. */
  readonly root: bigint;
  /** How the walk of the second stage's tables ended; see {@linkcode WalkOutcome}. */
  readonly outcome: string;
  /** Every entry of them that was read, from the root down. */
  readonly steps: readonly PageTableEntry[];
  /** If it is mapped: the machine's address. */
  readonly physicalAddress?: bigint;
  /** If it is mapped: the size of the second stage's page in bytes. */
  readonly pageSizeBytes?: number;
  /** If it is mapped: what all levels of the second stage allow together. */
  readonly effective?: Rights;
}

/** Memory in which every address is translated by a second stage before it is read. */
export interface SecondStageMemory extends PhysicalMemory {
  /** How the second stage's own entries are laid out. */
  readonly layout: { readonly entryBytes: 4 | 8; readonly hardwareBits: bigint };
  /** Every translation so far, in order. */
  readonly records: readonly SecondStageRecord[];
  /** Translates the result of the first stage; what cannot be is returned, since it is an answer. */
  translate(address: bigint, options?: ReadOptions): Promise<bigint | MemoryReadError>;
}

/** What translates a guest's physical addresses, in a guest within a guest. */
export interface SecondStage {
  /** The name of the second stage's regime, such as `EPT`. */
  readonly mode: string;
  /** The machine's address of its top table. */
  readonly root: bigint;
  /** Memory as the guest sees it, over memory as the machine has it. */
  over(memory: PhysicalMemory): SecondStageMemory;
}
