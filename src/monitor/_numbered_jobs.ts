import type { CommandJob } from "./_command_job.ts";

/** The commands under way by the number that each was sent with, where replies carry it. */
export class NumberedJobs {
  readonly #byNumber = new Map<number, CommandJob>();
  #last = 0;

  /** The number of the command that was sent first of those under way, or null. */
  get oldest(): number | null {
    const [oldest = null] = this.#byNumber.keys();
    return oldest;
  }

  /** Notes a command that is to be sent and returns its number, from 1. */
  add(job: CommandJob): number {
    this.#byNumber.set(++this.#last, job);
    return this.#last;
  }

  /** Returns the command that a reply's number stands for, once. */
  take(number: number): CommandJob | undefined {
    const job = this.#byNumber.get(number);
    this.#byNumber.delete(number);
    return job;
  }

  /** Forgets them all: no reply will come. */
  clear(): void {
    this.#byNumber.clear();
  }
}
