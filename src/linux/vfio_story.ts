import { formatAddress } from "../core/address.ts";
import type { VfioLine } from "./vfio_line.ts";
import type { VfioLogEntry, VfioLogRecord } from "./vfio_log.ts";

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
 * address may be cleared again, with another frame: its memory was mapped anew, or another process has
 * something there. Then the later whole clearing stands, and earlier ones with other entries are kept
 * beside it.
 *
 * Records *contradict* each other where that does not explain them: a `Successfully cleared` that fits
 * none of the `Clearing` records before it, or that still has `_PAGE_USER`; a record without its
 * partner that names another entry than any other record of the address. In which order they come does
 * not matter, and no later record mends it.
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
  add(line: VfioLine): void {
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
    if (line.verb === "clearing") story.clearing(entry);
    else story.cleared(entry, isCut);
  }

  /** One record for each address, and one for each that could not be read. */
  records(): VfioLogRecord[] {
    return [...this.#stories.values()].map((story) => story.record());
  }
}

/** What the log says of one address. */
class Story {
  readonly #address: bigint | null;
  #problem: string | null;
  /** Entries of `Clearing` records whose partner did not come yet. */
  readonly #open: bigint[] = [];
  /** `Successfully cleared` records without a partner. */
  readonly #alone: VfioLogEntry[] = [];
  readonly #whole: VfioLogEntry[] = [];

  constructor(address: bigint | null, problem: string | null = null) {
    this.#address = address;
    this.#problem = problem;
  }

  clearing(oldEntry: bigint): void {
    // Said again, it says nothing new.
    if (!this.#open.some((open) => claimOf({ oldEntry: open }) === claimOf({ oldEntry }))) {
      this.#open.push(oldEntry);
    }
  }

  cleared(newEntry: bigint, isCut: boolean): void {
    if (newEntry & PAGE_USER) {
      this.#problem ??= `the log calls ${formatAddress(newEntry)} cleared, which has _PAGE_USER set`;
      return;
    }
    const claim = claimOf({ newEntry });
    const at = this.#open.findIndex((oldEntry) => claimOf({ oldEntry }) === claim);
    if (at >= 0) {
      const [oldEntry] = this.#open.splice(at, 1);
      this.#addWhole({ oldEntry: oldEntry!, newEntry });
    } else if (isCut) this.#addWhole({ newEntry });
    else this.#alone.push({ newEntry });
  }

  /** The last stands; one that left the same entry is no other. */
  #addWhole(entry: VfioLogEntry): void {
    const last = this.#whole.at(-1);
    if (last && claimOf(last) === claimOf(entry)) this.#whole.pop();
    this.#whole.push(entry);
  }

  record(): VfioLogRecord {
    const address = this.#address;
    if (address === null) return { address, problem: this.#problem! };
    const single = [...this.#open.map((oldEntry) => ({ oldEntry })), ...this.#alone];
    const all = [...this.#whole, ...single];
    const claims = new Set(all.map(claimOf));
    if (this.#problem === null && single.length > 0 && claims.size > 1) {
      this.#problem = `the log contradicts itself: its records of this address name ${
        [...new Set(all.map((entry) => formatAddress(entry.newEntry ?? entry.oldEntry!)))].join(", ")
      }`;
    }
    if (this.#problem !== null) return { address, problem: this.#problem };
    const earlier = this.#whole.slice(0, -1);
    const last = this.#whole.at(-1) ?? Object.assign({}, ...single);
    return { address, ...last, ...earlier.length > 0 && { earlier } };
  }
}
