import type { QmpEvent } from "./qmp_codec.ts";

/** How many events are kept for those who come late or read slowly. */
const MAX_EVENTS = 256;
/** How long they may be together as text, in characters; the newest is kept in any case. */
const MAX_CHARACTERS = 1 << 20;

/**
 * The last events of a QMP server. Each reader has a place of its own, so one that stops reading holds
 * nobody up and costs no memory: it misses what has been dropped meanwhile.
 */
export class EventLog {
  #events: { event: QmpEvent; characters: number }[] = [];
  #characters = 0;
  /** The number of the first event that is kept. */
  #first = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  /** Adds an event of so many characters, and drops the oldest if there are too many. */
  add(event: QmpEvent, characters: number): void {
    this.#events.push({ event, characters });
    this.#characters += characters;
    while (this.#events.length > MAX_EVENTS || this.#isTooLong()) {
      this.#characters -= this.#events.shift()!.characters;
      this.#first++;
    }
    this.#wake();
  }

  /** No more events will come: readers end after the last one. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Yields the events that are kept, then each that comes, until the end or the signal. */
  async *read(signal?: AbortSignal): AsyncGenerator<QmpEvent, void> {
    const onAbort = () => this.#wake();
    signal?.addEventListener("abort", onAbort);
    try {
      for (let next = this.#first; !signal?.aborted;) {
        next = Math.max(next, this.#first);
        const event = this.#events[next - this.#first]?.event;
        if (event !== undefined) {
          next++;
          yield event;
        } else if (this.#ended) return;
        else await this.#changed.promise;
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #isTooLong(): boolean {
    return this.#characters > MAX_CHARACTERS && this.#events.length > 1;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
