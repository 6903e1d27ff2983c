import { endProcessesWith, processesLeft } from "./run_processes.ts";

/** What a shell says of a process that a signal ended. */
const SIGNAL_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** How long what a unit has started may take to end after it: QEMU and Chromium need a moment. */
const LEFT_MS = Number(Deno.env.get("PAGEWALK_TEST_LEFT_MS") ?? 60_000);

/**
 * A run of tests: what marks its processes, and where they keep temporary files. When it ends, however
 * it ends, no process and no file of it stays.
 */
export class TestRun implements AsyncDisposable {
  readonly #mark: string;
  readonly #folder: string;
  readonly #listeners: [Deno.Signal, () => void][] = [];
  #ending: Promise<void> | undefined;

  private constructor(mark: string, folder: string) {
    this.#mark = mark;
    this.#folder = folder;
  }

  /** Starts a run. From now on a signal ends it, and then this process. */
  static async start(): Promise<TestRun> {
    const mark = `PAGEWALK_TEST_RUN_${crypto.randomUUID().slice(0, 8)}`;
    const run = new TestRun(mark, await Deno.makeTempDir({ prefix: "pagewalk-tests-" }));
    await Deno.mkdir(`${run.#folder}/lab`);
    for (const [signal, code] of Object.entries(SIGNAL_CODES) as [Deno.Signal, number][]) {
      const listener = () => run.#stoppedBy(signal, code);
      Deno.addSignalListener(signal, listener);
      run.#listeners.push([signal, listener]);
    }
    return run;
  }

  /**
   * The environment for the run's process number `index`: what marks it, a folder of its own for temporary
   * files, and the one where lab guests are kept that were booted before. Never settles once a signal has come: then nothing more is started.
   */
  async environment(index: number): Promise<Record<string, string>> {
    const folder = this.#folderOf(index);
    if (!this.#ending) await Deno.mkdir(folder);
    await this.unlessStopped();
    return {
      [this.#mark]: "1",
      [`${this.#mark}_${index}`]: "1",
      TMPDIR: folder,
      // The folder that tmux makes there stays.
      TMUX_TMPDIR: this.#folder,
      PAGEWALK_LAB_SNAPSHOTS: `${this.#folder}/lab`,
    };
  }

  /** Settles at once, and never once a signal has come: what tests say from then on means nothing. */
  unlessStopped(): Promise<void> {
    return this.#ending ? new Promise(() => {}) : Promise.resolve();
  }

  /** Says what process number `index`, which has ended, has left behind, and clears it away. */
  async leftBehind(index: number): Promise<string[]> {
    const mark = `${this.#mark}_${index}`;
    const left = await processesLeft(mark, LEFT_MS);
    if (left.length > 0) await endProcessesWith(mark);
    await this.unlessStopped();
    const folder = this.#folderOf(index);
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name);
    await Deno.remove(folder, { recursive: true });
    return [
      ...left.map(({ name, pid }) => `a process, ${name}, pid ${pid}`),
      ...files.map((name) => `a temporary file, ${name}`),
    ];
  }

  /** Ends the run's processes and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#ending ??= this.#clear());
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  async #stoppedBy(signal: Deno.Signal, code: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = this.#clear();
    console.error(`\n${signal}: ending the tests and what they have started`);
    await this.#ending;
    Deno.exit(code);
  }

  async #clear(): Promise<void> {
    await endProcessesWith(this.#mark);
    await Deno.remove(this.#folder, { recursive: true });
  }

  #folderOf(index: number): string {
    return `${this.#folder}/${index}`;
  }
}
