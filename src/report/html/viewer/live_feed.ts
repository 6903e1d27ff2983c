/// <reference lib="dom" />
import type { ReportFeed, ReportSide } from "../page_data.ts";
import { make } from "./dom.ts";

/** Follows the guest of a served page while the page is in sight. */
export class LiveFeed {
  /** Says whether the page is live. */
  readonly node: HTMLElement = make("p", { role: "status", id: "live" });
  readonly #feed: ReportFeed;
  readonly #take: (side: ReportSide) => Promise<void>;
  #source: EventSource | null = null;
  #isGone = false;

  /** Begins to follow; `take` is called with each state that differs from the one before. */
  constructor(feed: ReportFeed, take: (side: ReportSide) => Promise<void>) {
    this.#feed = feed;
    this.#take = take;
    document.addEventListener("visibilitychange", () => this.#follow());
    this.#follow();
  }

  #follow(): void {
    if (this.#isGone) return;
    if (document.hidden) {
      this.#source?.close();
      this.#source = null;
      this.#say("paused: the page is hidden");
      return;
    }
    if (this.#source) return;
    const source = this.#source = new EventSource(this.#feed.events);
    source.onopen = () => this.#say(`live: read every ${this.#feed.intervalMs / 1000} s`);
    source.onmessage = ({ data }) => void this.#take(JSON.parse(data));
    source.onerror = () => this.#say("not live: the server does not answer");
    source.addEventListener("gone", ({ data }) => {
      this.#isGone = true;
      source.close();
      this.#say(`no longer live: ${JSON.parse(data)}`);
    });
  }

  #say(text: string): void {
    this.node.textContent = text;
  }
}
