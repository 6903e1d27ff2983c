/** The part of a map that is in sight, and the ones that were before. Places are in units of the map. */
export class Sight {
  readonly #total: number;
  readonly #before: { from: number; span: number }[] = [];
  #from = 0;
  #span: number;

  /** The whole of a map. */
  constructor(total: number) {
    this.#total = Math.max(total, 1);
    this.#span = this.#total;
  }

  /** Where it begins. */
  get from(): number {
    return this.#from;
  }

  /** How wide it is. */
  get span(): number {
    return this.#span;
  }

  /** Whether all of the map is in sight. */
  get isWhole(): boolean {
    return this.#span >= this.#total;
  }

  /** The place at a part of what is in sight, 0 to 1. */
  placeAt(part: number): number {
    return this.#from + part * this.#span;
  }

  /** Makes what is in sight so many times wider, around a part between 0 and 1. */
  zoom(factor: number, around = 0.5): void {
    const span = Math.min(this.#total, Math.max(2, this.#span * factor));
    this.#from += (this.#span - span) * around;
    this.#span = span;
    this.move(0);
  }

  /** Moves by a part of what is in sight. */
  move(part: number): void {
    const from = this.#from + part * this.#span;
    this.#from = Math.max(0, Math.min(this.#total - this.#span, from));
  }

  /** Shows a part of the map with a little beside it; {@linkcode back} shows again what was in sight. */
  open(from: number, to: number, beside = 0.03): void {
    this.#before.push({ from: this.#from, span: this.#span });
    const margin = (to - from) * beside;
    this.#from = from - margin;
    this.#span = Math.min(this.#total, Math.max(2, to - from + 2 * margin));
    this.move(0);
  }

  /** Shows what was in sight before the last {@linkcode open}, or everything. */
  back(): void {
    const { from, span } = this.#before.pop() ?? { from: 0, span: this.#total };
    this.#from = from;
    this.#span = span;
  }
}
