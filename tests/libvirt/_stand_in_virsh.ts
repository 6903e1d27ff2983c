/** What a virsh says in answer to one command, as 9.0 was seen to say it. */
export interface VirshSays {
  stdout: string;
  stderr: string;
}

/** What virsh says to the `number`th command, if QEMU's line is this one. */
export function answer(number: number, line: string): VirshSays {
  const mark = `pagewalk-${number}`;
  return {
    stdout: `virsh # qemu-monitor-command 'vm' '{"execute":"…"}'\n${line}\nvirsh # echo ${mark}\n` +
      `${mark}virsh # echo --err ${mark}\n`,
    stderr: `error: ${mark}\n`,
  };
}

/** What QEMU says to the first question: its version. */
export const VERSION = '{"return":{"qemu":{"micro":22,"minor":2,"major":7},"package":""}}';
/** What it says to `info status`. */
export const STATUS = '{"return":"VM status: running\\r\\n","id":"libvirt-8"}';

/**
 * A program called `virsh` that stands before the real one on PATH. It answers as many commands as it is
 * given answers, and then runs some lines of shell.
 */
export class StandInVirsh implements AsyncDisposable {
  readonly #folder: string;
  readonly #searched: string;

  private constructor(folder: string, searched: string) {
    this.#folder = folder;
    this.#searched = searched;
  }

  static async install(): Promise<StandInVirsh> {
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-virsh-" });
    const path = Deno.env.get("PATH") ?? "";
    Deno.env.set("PATH", `${folder}:${path}`);
    return new StandInVirsh(folder, path);
  }

  /** The path of a file in its folder. */
  path(name: string): string {
    return `${this.#folder}/${name}`;
  }

  /** From its next start on: what it answers, and what it does then. */
  async script(answers: readonly VirshSays[], then = "exit 0"): Promise<void> {
    const file = (name: string) => this.path(name);
    const lines = ["#!/bin/sh"];
    for (const [i, { stdout, stderr }] of answers.entries()) {
      await Deno.writeTextFile(file(`stdout${i}`), stdout);
      await Deno.writeTextFile(file(`stderr${i}`), stderr);
      // A command is three lines.
      lines.push("read -r _; read -r _; read -r _");
      lines.push(`cat ${file(`stdout${i}`)}; cat ${file(`stderr${i}`)} >&2`);
    }
    await Deno.writeTextFile(file("new"), [...lines, then, ""].join("\n"), { mode: 0o755 });
    await Deno.rename(file("new"), file("virsh")); // What runs is not written over.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.env.set("PATH", this.#searched);
    await Deno.remove(this.#folder, { recursive: true });
  }
}
