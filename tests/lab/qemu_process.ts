import { qemuPath } from "../../src/testing/qemu_process.ts";
import { LabError } from "./errors.ts";

/** A running QEMU, whoever runs it. Disposing of it ends it and waits until it is gone. */
export interface LabQemu extends AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /**
   * Throws if it has ended.
   *
   * @throws {LabError} with what it said.
   */
  assertRunning(): Promise<void>;
  /** Asks it to end. */
  kill(): void;
}

/** A QEMU that this process runs: the variable PAGEWALK_QEMU's, or the one on PATH. */
export class QemuProcess implements LabQemu {
  readonly #child: Deno.ChildProcess;
  readonly #said: Promise<string>;
  #status: Deno.CommandStatus | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#said = new Response(child.stderr).text();
    child.status.then((status) => this.#status = status);
  }

  /** Starts QEMU with these arguments. */
  static start(args: readonly string[]): QemuProcess {
    // A guest must not outlive whoever started it, even one that is killed outright.
    return new QemuProcess(
      new Deno.Command("setpriv", {
        args: ["--pdeathsig", "TERM", qemuPath(), ...args],
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn(),
    );
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when it has ended. */
  get ended(): Promise<void> {
    return this.#child.status.then(() => {});
  }

  /**
   * Throws if it has ended.
   *
   * @throws {LabError} with what it said.
   */
  async assertRunning(): Promise<void> {
    if (this.#status === undefined) return;
    const said = (await this.#said).trim().split("\n").at(-1);
    throw new LabError(`QEMU ended with status ${this.#status.code}: ${said || "it said nothing"}`);
  }

  /** Asks it to end. */
  kill(): void {
    if (this.#status !== undefined) return;
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has just ended by itself.
    }
  }

  /** Ends it and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#child.status;
    await this.#said;
  }
}
