import type { MemoryReadError, PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { PageTableEntry } from "./entry.ts";
import type { Listed } from "./listing_records.ts";
import type { Right, Rights } from "./rights.ts";

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

/** What one page of the second stage, or one gap in it, makes of an address and those after it. */
export interface SecondStagePart {
  /** The address after the last one that is alike; it may lie beyond what was asked about. */
  readonly end: bigint;
  /** The machine's address; or why there is none. */
  readonly found: bigint | MemoryReadError;
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
  /** Translates the result of the first stage, and says how far that holds. */
  part(address: bigint, options?: ReadOptions): Promise<SecondStagePart>;
}

/** How the pages of a listing are translated. */
export interface TranslatedPagesOptions {
  /** Translate each twice, and list what changed meanwhile as that. */
  readonly recheck: boolean;
  /** Ends it with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Translates the pages of a listing. */
export interface TranslatedPages {
  /** Whether there were so many that the rest is left out. */
  readonly isFull: boolean;
  /** The records of a batch, with the machine's addresses. */
  translated(batch: readonly Listed[]): AsyncGenerator<Listed[]>;
}

/** What translates a guest's physical addresses, in a guest within a guest. */
export interface SecondStage {
  /** The name of the second stage's regime, such as `EPT`. */
  readonly mode: string;
  /** The machine's address of its top table. */
  readonly root: bigint;
  /** The name of its regime's rules, such as `vtd-second-level`. */
  readonly architecture: string;
  /** The rights that the effective ones of a page are cut down to: those that both stages know alike. */
  readonly restricts: readonly Right[];
  /** Memory as the guest sees it, over memory as the machine has it. */
  over(memory: PhysicalMemory): SecondStageMemory;
  /** Translates what a listing of the first stage finds, whose tables are read by the same way. */
  pages(memory: PhysicalMemory, options: TranslatedPagesOptions): TranslatedPages;
}
