import { withUserView } from "../translate/regime.ts";
import type { AddressLike } from "../core/address.ts";
import { withPhysicalBits } from "../translate/regime.ts";
import { checkOptions } from "../core/options.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import type { TableViews } from "../translate/views_rule.ts";
import { type Walk, walk, WALK_SHAPE, type WalkOptions } from "../translate/walk.ts";
import {
  CHOICE_INSTEAD,
  CHOICE_SHAPE,
  type PageTable,
  splitTableChoice,
  type TableChoice,
  type TableSource,
} from "./table_choice.ts";

/** A walk that knows whose tables it read. */
export type GuestWalk = Walk & {
  /** Where the root came from. */
  readonly source: TableSource;
  /** Under KPTI, the pair of roots; whether user code may execute is then the user root's word. */
  readonly kpti?: TableViews;
};

/** Which tables to walk, and how. */
export interface GuestWalkOptions extends TableChoice, WalkOptions {}

/** What walking takes of a session. */
export interface WalkedGuest {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** Learns MAXPHYADDR; null if nobody tells it. */
  physicalAddressBits(): Promise<number | null>;
}

/** Checks the options of a walk and takes the choice of a table out of them. */
export function splitWalkOptions(
  options: GuestWalkOptions,
): [choice: TableChoice, walkOptions: WalkOptions] {
  const shape = { ...CHOICE_SHAPE, ...WALK_SHAPE };
  checkOptions(options, "the options of a walk", shape, CHOICE_INSTEAD);
  return splitTableChoice(options);
}

/**
 * Walks a guest's tables. Where a page lies so high that MAXPHYADDR matters, it is learned first. Under KPTI the kernel's root forbids execution of all user pages, whatever
 * user code may do: that right is taken from the user's root.
 */
export async function walkGuest(
  { memory, physicalAddressBits }: WalkedGuest,
  { context, source }: PageTable,
  address: AddressLike,
  options: WalkOptions = {},
): Promise<GuestWalk> {
  const found = await walk(memory, context, address, options);
  if (found.outcome === "noTables") return { ...found, source };
  if (found.outcome === "mapped" && found.mayBeBeyond) {
    const known = withPhysicalBits(context, await physicalAddressBits());
    if (known !== context) {
      const guest = { memory, physicalAddressBits };
      return await walkGuest(guest, { context: known, source }, address, options);
    }
  }
  const [top] = found.steps;
  const kpti = top && await context.rules.views?.find(memory, context.root, top, options);
  if (!kpti) return { ...found, source };
  const regime = withUserView(context, kpti);
  if (found.outcome !== "mapped" || regime === context) return { ...found, source, kpti };
  const seen = await walk(memory, regime, found.address, options);
  const changedDuringWalk = found.changedDuringWalk || seen.changedDuringWalk;
  return { ...seen, changedDuringWalk, source, kpti };
}
