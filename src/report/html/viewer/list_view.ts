/// <reference lib="dom" />
import { make } from "./dom.ts";

const ROW = 22;
/** Browsers lay out no element taller than about 16 million pixels. */
const MAX_HEIGHT = 15_000_000;

/** A list's row. */
export interface ListRow {
  /** What it says. */
  readonly text: string;
  /** The address it is about. */
  readonly address: bigint;
  /** A class for its colour. */
  readonly kind?: string;
}

/** A list of any length that keeps only the rows in sight in the page; used by mouse and keyboard. */
export class ListView {
  /** The list's element. */
  readonly node: HTMLElement;
  readonly #pick: (row: ListRow) => void;
  readonly #sizer = make("div");
  #rows: readonly ListRow[] = [];
  #selected = -1;

  /** Makes an empty list; `pick` is called with the row that is chosen. */
  constructor(label: string, pick: (row: ListRow) => void) {
    this.#pick = pick;
    this.node = make("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": label });
    this.node.append(this.#sizer);
    this.node.addEventListener("scroll", () => this.#draw());
    this.node.addEventListener("keydown", (event) => this.#onKey(event));
    this.node.addEventListener("click", (event) => {
      const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
      if (row) this.#select(Number(row.dataset.index), true);
    });
  }

  /** Shows other rows. */
  show(rows: readonly ListRow[]): void {
    this.#rows = rows;
    this.#selected = -1;
    this.#sizer.style.height = `${Math.min(rows.length * ROW, MAX_HEIGHT)}px`;
    this.node.scrollTop = 0;
    this.#draw();
  }

  /** Shows other rows instead of those in sight. */
  update(rows: readonly ListRow[]): void {
    const { scrollTop } = this.node;
    const selected = this.#rows[this.#selected]?.address;
    this.show(rows);
    this.#selected = rows.findIndex(({ address }) => address === selected);
    this.node.scrollTop = scrollTop;
    this.#draw();
  }

  #onKey(event: KeyboardEvent): void {
    const page = Math.floor(this.node.clientHeight / ROW) - 1;
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) {
      if (event.key === "Enter") this.#select(this.#selected, true);
      return;
    }
    event.preventDefault();
    this.#select(Math.max(0, Math.min(this.#rows.length - 1, this.#selected + step)), true);
  }

  #select(index: number, tell: boolean): void {
    const row = this.#rows[index];
    if (!row) return;
    this.#selected = index;
    const top = index * this.#rowHeight();
    const { scrollTop, clientHeight } = this.node;
    if (top < scrollTop) this.node.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.node.scrollTop = top + ROW - clientHeight;
    this.#draw();
    if (tell) this.#pick(row);
  }

  /** Less than a row's real height where the list is longer than a browser can lay out. */
  #rowHeight(): number {
    return this.#rows.length === 0 ? ROW : Math.min(ROW, MAX_HEIGHT / this.#rows.length);
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.node;
    const height = this.#rowHeight();
    const first = Math.floor(scrollTop / height);
    const count = Math.ceil((clientHeight || 264) / ROW) + 1;
    const shown: Node[] = [];
    for (let i = first; i < Math.min(first + count, this.#rows.length); i++) {
      const row = this.#rows[i]!;
      const top = i * height + (i - first) * (ROW - height);
      shown.push(make("div", {
        role: "option",
        "data-index": String(i),
        "aria-selected": String(i === this.#selected),
        title: row.text, // Narrow pages cut it.
        style: `top:${top}px`,
        ...row.kind && { class: row.kind },
      }, row.text));
    }
    this.node.replaceChildren(this.#sizer, ...shown);
  }
}
