import { MemoryReadError } from "../memory/physical_memory.ts";
import type { Visit } from "./_visit.ts";
import type { PageTableEntry } from "./entry.ts";
import type { RegimeRules } from "./regime.ts";
import type { Rights, RightsSoFar } from "./rights.ts";
import type { TableEntries, TablePart, TableReader } from "./table_reader.ts";

/** The rights that the entries on the path from the root leave to what is behind them. */
export class PathRights {
  readonly #rules: RegimeRules;
  /** The same rights are the same object, whichever levels' entries they come from. */
  readonly #known = new Map<string, RightsSoFar>();
  #userTop: TableEntries | null = null;

  constructor(rules: RegimeRules) {
    this.#rules = rules;
  }

  /** Reads the top table that user code runs on, where the kernel keeps two views. */
  async readUserView(reader: TableReader, part: TablePart): Promise<TableEntries | null> {
    const top = await reader.read(part);
    // A view that cannot be read is none: the rights then stay as the listed tables have them.
    if (!(top instanceof MemoryReadError)) this.#userTop = top;
    return this.#userTop;
  }

  /** The rights behind an entry of a table. */
  behind(visit: Visit, entry: PageTableEntry): RightsSoFar {
    const { rights } = this.#rules;
    const soFar = rights.restrict(visit.soFar, this.#asUserCodeSees(visit, entry));
    let key = "";
    for (const right of rights.names) {
      key += `${soFar.effective[right]}${soFar.decidedAt[right] ?? ""},`;
    }
    const known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, soFar);
    return known ?? soFar;
  }

  /** A number for each set of rights, below 16. */
  numberOf({ user, writable, executable, readable = true }: Rights): number {
    return (user ? 1 : 0) + (writable ? 2 : 0) + (executable ? 4 : 0) + (readable ? 8 : 0);
  }

  #asUserCodeSees(visit: Visit, entry: PageTableEntry): PageTableEntry {
    const { views } = this.#rules;
    if (visit.depth > 0 || this.#userTop === null || !views) return entry;
    const raw = views.asUserSees(entry.raw, this.#userTop.raw(entry.index - visit.first));
    return raw === entry.raw ? entry : visit.decoder.decode(raw, entry.address, entry.index);
  }
}
