import { MemoryReadError } from "../memory/physical_memory.ts";
import type { Visit } from "./_visit.ts";
import type { PageTableEntry } from "../arch/x86/entry.ts";
import { restrictRights, type RightsSoFar } from "../arch/x86/rights.ts";
import type { TableEntries, TableReader } from "./table_reader.ts";

const EXECUTE_DISABLE = 1n << 63n;

/** What is left of the rights behind the entries that point to tables. */
export class RightsOnTheWay {
  /** The same rights are the same object, whichever levels' entries they come from. */
  readonly #known = new Map<string, RightsSoFar>();
  #userTop: TableEntries | null = null;

  /**
   * Reads the root that user code runs on under kernel page-table isolation: the kernel's root forbids
   * execution of every user page, so that right is taken from there.
   */
  async readUserRoot(
    reader: TableReader,
    part: { table: bigint; first: number; last: number },
  ): Promise<TableEntries | null> {
    const top = await reader.read(part);
    // A root that cannot be read is none: the rights then stay as the listed tables have them.
    if (!(top instanceof MemoryReadError)) this.#userTop = top;
    return this.#userTop;
  }

  /** The rights behind an entry of a table. */
  behind(visit: Visit, entry: PageTableEntry): RightsSoFar {
    const soFar = restrictRights(visit.soFar, this.#asUserCodeSees(visit, entry));
    const { user = 0, writable = 0, executable = 0 } = soFar.deniedAt;
    const key = `${user}${writable}${executable}`;
    const known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, soFar);
    return known ?? soFar;
  }

  #asUserCodeSees(visit: Visit, entry: PageTableEntry): PageTableEntry {
    if (visit.depth > 0 || this.#userTop === null) return entry;
    const raw = this.#userTop.raw(entry.index - visit.first);
    if ((raw ^ entry.raw) !== EXECUTE_DISABLE) return entry;
    return visit.decoder.decode(raw, entry.address, entry.index);
  }
}
