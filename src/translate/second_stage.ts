import {
  MemoryReadError,
  type PhysicalMemory,
  type ReadOptions,
} from "../memory/physical_memory.ts";
import type { AddressSpan, Regime } from "./regime.ts";
import type { SecondStage, SecondStageMemory, SecondStageRecord } from "./second_stage_rule.ts";
import { type Walk, walk } from "./walk.ts";

/** No stage has smaller pages, so that a read of less stays within one. */
const SMALLEST_PAGE = 4096;
/** A listing reads more tables than anyone would want to know the second stage's steps of. */
const MAX_RECORDS = 1024;

/**
 * Makes a regime the second stage of another: what a guest takes for physical addresses is translated by
 * it, for every table that is read and for the result.
 *
 * @example A guest whose memory lies elsewhere in the machine's
 * ```ts
 * import { nestedPaging, pagingContext, secondStage, walk } from "@pagewalk/pagewalk";
 * import { PageTableBuilder, ramRange, registersFor, SparseMemory } from "@pagewalk/pagewalk/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
 * const host = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
 * host.map(0x20_0000n, 0x40_0000n, "2M", { user: true, writable: true });
 * // The guest's tables, where the machine has them.
 * const inner = new SparseMemory({ ranges: [...memory.ranges] });
 * const guest = new PageTableBuilder("4-level", inner, { tablesAt: 0x20_0000n });
 * guest.map(0x7000n, 0x20_9000n, "4K", { user: true });
 * for (const { address, bytes } of inner.writtenRuns()) memory.writeBytes(address + 0x20_0000n, bytes);
 *
 * const stage2 = secondStage(nestedPaging(pagingContext(registersFor(host))));
 * const found = await walk(memory, { ...pagingContext(registersFor(guest)), stage2 }, 0x7123n);
 * assert(found.outcome === "mapped");
 * assertEquals([found.intermediateAddress, found.physicalAddress], [0x20_9123n, 0x40_9123n]);
 * assertEquals(found.secondStage?.length, 5);
 * ```
 */
export function secondStage(regime: Regime): SecondStage {
  const { mode, root } = regime;
  return { mode, root, over: (memory) => new TranslatedMemory(memory, regime) };
}

/** Memory as a guest within a guest sees it. */
class TranslatedMemory implements SecondStageMemory {
  readonly records: SecondStageRecord[] = [];
  readonly layout: SecondStageMemory["layout"];
  readonly #memory: PhysicalMemory;
  readonly #regime: Regime;

  constructor(memory: PhysicalMemory, regime: Regime) {
    this.#memory = memory;
    this.#regime = regime;
    const [{ entryBytes, hardwareBits }] = regime.spans as [AddressSpan];
    this.layout = { entryBytes, hardwareBits };
  }

  /** Translates each page of the read, and reads it there. */
  async read(address: bigint, lengthBytes: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    for (let offset = 0; offset < lengthBytes;) {
      const at = address + BigInt(offset);
      const inPage = Number(at % BigInt(SMALLEST_PAGE));
      const length = Math.min(SMALLEST_PAGE - inPage, lengthBytes - offset);
      const found = await this.#translate("table", at, options);
      if (typeof found !== "bigint") throw found;
      if (length === lengthBytes) return await this.#memory.read(found, length, options);
      bytes.set(await this.#memory.read(found, length, options), offset);
      offset += length;
    }
    return bytes;
  }

  /** Translates the result of the first stage. */
  translate(address: bigint, options: ReadOptions = {}): Promise<bigint | MemoryReadError> {
    return this.#translate("result", address, options);
  }

  async #translate(
    of: SecondStageRecord["of"],
    address: bigint,
    { signal }: ReadOptions,
  ): Promise<bigint | MemoryReadError> {
    const options = { recheck: false, ...signal && { signal } };
    const found = await walk(this.#memory, this.#regime, address, options);
    if (this.records.length < MAX_RECORDS) this.records.push(recordOf(of, found));
    if (found.outcome === "unreadable") return new MemoryReadError(found.failure, address, 1);
    if (found.outcome !== "mapped") {
      return refused(found, `is not mapped by ${found.mode}: ${found.outcome}`);
    }
    const { effective } = found;
    const { secondStageNeeds = [], secondStageResultNeeds } = this.#regime.rules;
    const needed = of === "result" ? secondStageResultNeeds ?? secondStageNeeds : secondStageNeeds;
    const missing = needed.filter((right) => effective[right] === false);
    if (missing.length === 0) return found.physicalAddress;
    return refused(found, `may not be touched: ${found.mode} denies ${missing.join(" and ")}`);
  }
}

function refused({ address }: Walk, why: string): MemoryReadError {
  const message = `Guest-physical memory at 0x${address.toString(16)} ${why}`;
  return new MemoryReadError("secondStage", address, 1, { message });
}

function recordOf(of: SecondStageRecord["of"], found: Walk): SecondStageRecord {
  const { address, mode, root, outcome, steps } = found;
  const record = { of, address, mode, root, outcome, steps };
  if (found.outcome !== "mapped") return record;
  const { physicalAddress, pageSizeBytes, effective } = found;
  return { ...record, physicalAddress, pageSizeBytes, effective };
}
