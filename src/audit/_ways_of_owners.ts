/** What an owner's runs are, by their rights. */
type Ways = Map<number, Set<number>>;

/**
 * In how many ways each owner maps a frame, as runs come and go. The work of each step does not grow with
 * the number of owners: thousands of processes share the frames of a library.
 */
export class WaysOfOwners {
  readonly #owners = new Map<number, Ways>();
  /** Those who map it with rights that differ. */
  readonly #divided = new Set<number>();

  /** One of the owners who map it in several ways; null if none does. */
  get divided(): number | null {
    for (const owner of this.#divided) return owner;
    return null;
  }

  /** A run of each of that owner's ways. */
  runsOfDivided(): number[] {
    const ways = this.#owners.get(this.divided ?? -1) ?? new Map<number, Set<number>>();
    return [...ways.values()].flatMap(([run]) => run ?? []);
  }

  /** An owner's run begins. */
  add(owner: number, rights: number, run: number): void {
    const ways: Ways = this.#owners.get(owner) ?? new Map();
    this.#owners.set(owner, ways);
    const runs = ways.get(rights) ?? new Set();
    ways.set(rights, runs.add(run));
    if (ways.size > 1) this.#divided.add(owner);
  }

  /** An owner's run ends. */
  remove(owner: number, rights: number, run: number): void {
    const ways = this.#owners.get(owner);
    const runs = ways?.get(rights);
    if (!ways || !runs) return;
    runs.delete(run);
    if (runs.size === 0) ways.delete(rights);
    if (ways.size < 2) this.#divided.delete(owner);
    if (ways.size === 0) this.#owners.delete(owner);
  }
}
