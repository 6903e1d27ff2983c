import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { Walk } from "./walk.ts";

/** One translation by the second stage. */
export interface SecondStageRecord {
  /** What was translated: a table's entry, or the result. */
  readonly of: "table" | "result";
  /** The walk of the second stage's own tables. Its `address` is guest-physical. */
  readonly walk: Walk;
}

/** Memory in which every address is translated by a second stage before it is read. */
export interface SecondStageMemory extends PhysicalMemory {
  /** Translates the result of a walk too, and adds every translation so far to it. */
  finish(walk: Walk, options: ReadOptions): Promise<Walk>;
}

/** What translates a guest's physical addresses, in a guest within a guest. */
export interface SecondStage {
  /** The name of the second stage's regime, such as `EPT`. */
  readonly mode: string;
  /** Memory as the guest sees it, over memory as the machine has it. */
  over(memory: PhysicalMemory): SecondStageMemory;
}
