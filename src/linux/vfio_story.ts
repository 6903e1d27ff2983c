import { formatAddress } from "../core/address.ts";
import type { VfioLine } from "./vfio_line.ts";
import type { VfioLogEntry, VfioLogRecord } from "./vfio_log_record.ts";

const PAGE_USER = 0x4n;
/** The bit that is cleared, and accessed and dirty, which the processor sets whenever it likes. */
const MAY_DIFFER = PAGE_USER | 0x60n;

/** What a clearing says the entry is, but for the bits that may differ. */
function claimOf({ oldEntry, newEntry }: VfioLogEntry): bigint {
  return (newEntry ?? oldEntry!) & ~MAY_DIFFER;
}

/**
 * Puts the patch's records of each address together.
 *
 * The patch writes two records for a clearing, before and after, so a *whole* clearing is a `Clearing`
 * and a later `Successfully cleared` whose entries differ in `_PAGE_USER`, accessed and dirty alone. An
 * address may be cleared again, with another frame: its memory was mapped again, or another process has
 * something there. Then the later whole clearing stands, and earlier ones with other entries are kept
 * beside it.
 *
 * Records *contradict* each other where that does not explain them: a `Successfully cleared` that fits
 * none of the `Clearing` records before it; a record without its partner that names another entry than
 * any other record of the address. In which order they come does not matter, and no later record mends
 * it. (An entry that is called cleared and still has the bit is not a contradiction: it is what to find.)
 */
export class VfioStories {
  readonly #isCut: boolean;
  /** By address, or a number for each record that cannot be read. */
  readonly #stories = new Map<bigint | number, Story>();
  #isFirst = true;

  /** `isCut`: the log's beginning is lost, so that its first record may have lost its partner. */
  constructor(isCut = false) {
    this.#isCut = isCut;
  }

  /** Takes the next record. */
  add(line: VfioLine, timeNs?: bigint): void {
    const isCut = this.#isCut && this.#isFirst;
    this.#isFirst = false;
    if (line.verb === "unreadable") {
      this.#stories.set(this.#stories.size, new Story(null, line.problem));
      return;
    }
    const { address, entry } = line;
    const known = this.#stories.get(address);
    const story = known ?? new Story(address);
    if (!known) this.#stories.set(address, story);
    if (timeNs !== undefined) story.timeNs = timeNs;
    if (line.verb === "clearing") story.clearing(entry);
    else story.cleared(entry, isCut);
  }

  /** One record for each address, and one for each that could not be read. */
  records(): VfioLogRecord[] {
    return [...this.#stories.values()].map((story) => story.record());
  }
}

/** So many entries are named in a message. */
const MAX_NAMED = 4;

/** What the log says of one address. Each kind by what it claims, in the order of the last time. */
class Story {
  /** That of the last record. */
  timeNs: bigint | null = null;
  readonly #address: bigint | null;
  readonly #problem: string;
  /** `Clearing` records whose partner did not come yet. */
  readonly #open = new Map<bigint, VfioLogEntry>();
  /** `Successfully cleared` records without a partner. */
  readonly #alone = new Map<bigint, VfioLogEntry>();
  readonly #whole = new Map<bigint, VfioLogEntry>();

  constructor(address: bigint | null, problem = "") {
    this.#address = address;
    this.#problem = problem;
  }

  clearing(oldEntry: bigint): void {
    this.#open.set(claimOf({ oldEntry }), { oldEntry });
  }

  cleared(newEntry: bigint, isCut: boolean): void {
    const claim = claimOf({ newEntry });
    const open = this.#open.get(claim);
    if (!open && !isCut) {
      this.#alone.set(claim, { newEntry });
      return;
    }
    this.#open.delete(claim);
    this.#whole.delete(claim);
    this.#whole.set(claim, { ...open, newEntry });
  }

  record(): VfioLogRecord {
    const address = this.#address;
    if (address === null) return { address, problem: this.#problem };
    const single = new Map([...this.#open, ...this.#alone]);
    const all = new Map([...this.#whole, ...single]);
    if (single.size > 0 && all.size > 1) return { address, problem: contradiction(all.values()) };
    const earlier = [...this.#whole.values()].slice(0, -1);
    const last = [...this.#whole.values()].at(-1) ??
      { ...[...this.#open.values()][0], ...[...this.#alone.values()][0] };
    return {
      ...{ address, ...last },
      ...this.timeNs !== null && { timeNs: this.timeNs },
      ...earlier.length > 0 && { earlier },
    };
  }
}

function contradiction(entries: Iterable<VfioLogEntry>): string {
  const named = [...entries].map(({ oldEntry, newEntry }) => formatAddress(newEntry ?? oldEntry!));
  const more = named.length > MAX_NAMED ? `, and ${named.length - MAX_NAMED} more` : "";
  return `the log contradicts itself: its records of this address name the entries ${
    named.slice(0, MAX_NAMED).join(", ")
  }${more}`;
}
