import type { AddressLike } from "../core/address.ts";
import { withPhysicalBits, withRoot } from "../arch/x86/paging_context.ts";
import { findKptiPair, type KptiPair } from "../linux/kpti_pair.ts";
import { checkOptions } from "../core/options.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
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
  readonly kpti?: KptiPair;
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
 * Walks a guest's tables. Where a page lies so high that MAXPHYADDR matters, it is learnt first. Under KPTI the kernel's root forbids execution of all user pages, whatever
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
  const kpti = await findKptiPair(memory, context, found, options);
  if (!kpti) return { ...found, source };
  if (found.outcome !== "mapped" || context.root === kpti.userRoot) {
    return { ...found, source, kpti };
  }
  const userContext = withRoot(context, kpti.userRoot);
  const user = await walk(memory, userContext, found.address, options);
  if (user.outcome !== "mapped") return { ...found, source, kpti };
  return {
    ...found,
    changedDuringWalk: found.changedDuringWalk || user.changedDuringWalk,
    source,
    kpti,
    effective: { ...found.effective, executable: user.effective.executable },
    decidedBy: { ...found.decidedBy, executable: user.decidedBy.executable },
  };
}
