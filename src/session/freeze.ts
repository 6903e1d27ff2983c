import { formatError, PagewalkError } from "../core/errors.ts";
import { atProcessEnd } from "../core/process_end.ts";
import { type GuestStatus, readStatus } from "../monitor/commands/read_state.ts";
import { MonitorError } from "../monitor/errors.ts";
import type { Monitor } from "../monitor/monitor.ts";

/** The guest was paused for a block and could not be resumed. */
export class GuestLeftPausedError extends PagewalkError {
  /** What the guest's monitor is, as a user would type it. */
  readonly endpoint: string;

  /** Creates the error for one guest. */
  constructor(endpoint: string, cause: unknown) {
    super(
      `The guest at ${endpoint} was paused and could not be resumed (${
        formatError(cause)
      }): if QEMU still ` +
        `runs, resume it with "cont" at its monitor`,
      { cause },
    );
    this.endpoint = endpoint;
  }
}

/** What pausing needs of a session. */
export interface FreezeInit {
  /** The monitor to pause and resume through; none where the guest does not move, as in a dump. */
  readonly monitor?: Monitor;
  /** Called with the guest's state before it is paused. */
  noteStatus?(status: GuestStatus): void;
  /** Opens the monitor again, for when the connection broke while the guest was paused. */
  reopenMonitor?(): Promise<Monitor>;
}

/** Stops a guest around blocks, and leaves it as it was found: running or paused. */
export class Freezer {
  readonly #parts: FreezeInit;
  #atProcessEnd: Disposable | null = null;
  #depth = 0;
  #stopping: Promise<boolean> | null = null;

  constructor(parts: FreezeInit) {
    this.#parts = parts;
  }

  /**
   * Runs a block while the guest is paused. Blocks may nest and overlap: the first pauses the guest,
   * the last resumes it, and only if it ran before. Ctrl-C and any
   * other end of the process but SIGKILL resume it too.
   *
   * @throws {GuestLeftPausedError} if the guest cannot be resumed
   * @throws whatever the block throws
   */
  async run<T>(block: () => Promise<T>): Promise<T> {
    if (this.#depth++ === 0) this.#stopping = this.#stop();
    const stopping = this.#stopping!;
    let wasRunning = false;
    try {
      wasRunning = await stopping;
      return await block();
    } finally {
      if (--this.#depth === 0 && wasRunning) await this.#resume();
    }
  }

  /** Pauses the guest; true if it was running. */
  async #stop(): Promise<boolean> {
    const { monitor } = this.#parts;
    if (monitor === undefined) return false;
    const status = await readStatus(monitor);
    // Later it is this that pauses it.
    this.#parts.noteStatus?.(status);
    if (!status.running) return false;
    this.#atProcessEnd = atProcessEnd({ finish: () => this.#resume() });
    try {
      await monitor.command("stop", { allowUnsafe: ["stop"] });
    } catch (error) {
      // Whether the command arrived is not known, so what it may have done is undone.
      await this.#resume();
      throw error;
    }
    return true;
  }

  /** Only ever called after a monitor has paused the guest. */
  async #resume(): Promise<void> {
    const monitor = this.#parts.monitor!;
    try {
      await resume(monitor);
    } catch (error) {
      if (!(error instanceof MonitorError)) throw error;
      await this.#resumeAnew(monitor, error);
    } finally {
      this.#atProcessEnd?.[Symbol.dispose]();
    }
  }

  /** The connection broke: the guest is still paused, and only a new one can tell it to go on. */
  async #resumeAnew(monitor: Monitor, broken: MonitorError): Promise<void> {
    const { reopenMonitor } = this.#parts;
    if (!reopenMonitor) throw new GuestLeftPausedError(monitor.endpoint, broken);
    try {
      await using anew = await reopenMonitor();
      await resume(anew);
    } catch (error) {
      throw new GuestLeftPausedError(monitor.endpoint, error);
    }
  }
}

async function resume(monitor: Monitor): Promise<void> {
  await monitor.command("cont", { allowUnsafe: ["cont"] });
}
