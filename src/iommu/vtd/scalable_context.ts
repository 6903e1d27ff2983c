import { formatAddress } from "../../core/address.ts";
import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../../memory/physical_memory.ts";
import type { Regime } from "../../translate/regime.ts";
import { secondStage } from "../../translate/second_stage.ts";
import { readWords } from "../read_words.ts";
import { firstLevelRegime } from "./first_level.ts";
import { type DeviceEntry, translatedBySecondLevel } from "./legacy_context.ts";

const ADDRESS = 0x000f_ffff_ffff_f000n;
const PRESENT = 1n;
const PASIDS_IN_TABLE = 64;
const WORDS_IN_PASID_ENTRY = 8;

/** PASID-granular translation types (Intel VT-d specification, 9.6). */
const TYPE = { firstLevel: 1, secondLevel: 2, nested: 3, passThrough: 4 } as const;

/**
 * Follows a present context entry of scalable mode (9.4) to the PASID entry that requests without a PASID
 * are translated by, which is all that a device sends unless its driver has set it up for more.
 */
export async function scalableContext(
  memory: PhysicalMemory,
  [low = 0n, high = 0n]: BigUint64Array,
  options: ReadOptions,
): Promise<DeviceEntry> {
  const pasid = Number(high & 0xf_ffffn);
  const directory = low & ADDRESS;
  const directoryEntries = 2 ** (Number(low >> 9n & 7n) + 7);
  const index = Math.floor(pasid / PASIDS_IN_TABLE);
  if (index >= directoryEntries) return blocked(`PASID ${pasid} lies beyond its PASID directory`);
  const pointers = await readWords(memory, directory + BigInt(index * 8), 1, options);
  if (pointers instanceof MemoryReadError) return unknown("PASID directory", directory, pointers);
  const pointer = pointers[0]!;
  if (!(pointer & PRESENT)) return blocked(`its PASID directory has no table for PASID ${pasid}`);
  const table = pointer & ADDRESS;
  const at = table + BigInt(pasid % PASIDS_IN_TABLE * WORDS_IN_PASID_ENTRY * 8);
  const entry = await readWords(memory, at, WORDS_IN_PASID_ENTRY, options);
  if (entry instanceof MemoryReadError) return unknown("PASID table", table, entry);
  if (!(entry[0]! & PRESENT)) return blocked(`its PASID table has no entry for PASID ${pasid}`);
  return pasidEntry(entry);
}

function pasidEntry([low = 0n, second = 0n, third = 0n]: BigUint64Array): DeviceEntry {
  const domain = Number(second & 0xffffn);
  const type = Number(low >> 6n & 7n);
  switch (type) {
    case TYPE.passThrough:
      return { state: "passThrough", domain };
    case TYPE.secondLevel:
      return translatedBySecondLevel(low & ADDRESS, Number(low >> 2n & 7n), domain);
    case TYPE.firstLevel:
      return firstLevel(third, domain);
    case TYPE.nested: {
      const below = translatedBySecondLevel(low & ADDRESS, Number(low >> 2n & 7n), domain);
      if (below.regime === undefined) return below;
      return nestedIn(below.regime, firstLevel(third, domain));
    }
    default:
      return { ...blocked(`its PASID entry's type (PGTT=${type}) is reserved`), domain };
  }
}

function firstLevel(third: bigint, domain: number): DeviceEntry {
  const levels = 4 + Number(third >> 2n & 3n);
  const regime = firstLevelRegime(third & ADDRESS, levels);
  if (regime !== null) return { state: "translated", domain, regime };
  return {
    ...blocked(`its PASID entry asks for ${levels} levels (FLPM), which is reserved`),
    domain,
  };
}

/** A device's own tables, whose addresses and results are those of a guest that it was given to. */
function nestedIn(below: Regime, entry: DeviceEntry): DeviceEntry {
  if (entry.regime === undefined) return entry;
  return { ...entry, regime: { ...entry.regime, stage2: secondStage(below) } };
}

function blocked(reason: string): DeviceEntry {
  return { state: "blocked", domain: null, reason };
}

function unknown(what: string, at: bigint, { failure }: MemoryReadError): DeviceEntry {
  const why = failure === "outsideRam" ? "lies outside RAM" : "could not be read";
  return { state: "unknown", domain: null, reason: `its ${what} at ${formatAddress(at)} ${why}` };
}
