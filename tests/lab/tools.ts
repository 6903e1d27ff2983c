import { LabError, LabUnavailableError } from "./errors.ts";

/** The Debian package that carries each tool the lab runs. */
const TOOL_PACKAGES = {
  "apt-get": "apt",
  "apt-cache": "apt",
  "dpkg-deb": "dpkg",
  gcc: "gcc",
  "riscv64-linux-gnu-gcc": "gcc-riscv64-linux-gnu",
  make: "make",
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-system-riscv64": "qemu-system-misc",
  xz: "xz-utils",
  setpriv: "util-linux",
  strip: "binutils",
} as const;

/** A program that the lab needs on the machine it runs on. */
export type Tool = keyof typeof TOOL_PACKAGES;

async function isInstalled(tool: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v ${tool}`],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/**
 * Makes sure that every tool is there.
 *
 * @throws {LabUnavailableError} naming all that are missing and the one command that installs them.
 */
export async function requireTools(tools: readonly Tool[]): Promise<void> {
  const found = await Promise.all(tools.map(isInstalled));
  const missing = tools.filter((_, index) => !found[index]);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => TOOL_PACKAGES[tool]))].join(" ");
  throw new LabUnavailableError(
    `the lab needs ${missing.join(", ")}, which is not on PATH; run: apt-get install ${packages}`,
  );
}

/** Where and how {@linkcode runTool} runs. */
export interface RunToolOptions {
  /** Working folder. */
  cwd?: string;
  /** What was being done, for the error message. */
  purpose: string;
}

/**
 * Runs a program to its end and answers its standard output.
 *
 * @throws {LabError} with the last line of what the program said, if it fails.
 */
export async function runTool(
  command: string,
  args: readonly string[],
  options: RunToolOptions,
): Promise<string> {
  const output = await new Deno.Command(command, {
    args: [...args],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { LC_ALL: "C" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(output.stdout);
  if (output.success) return text;
  const said = decoder.decode(output.stderr).trim() || text.trim();
  const errors = said.split("\n").filter((line) => /error|^E:|failed/i.test(line));
  throw new LabError(
    `${options.purpose}: ${command} ended with status ${output.code}: ${
      (errors[0] ?? said.split("\n").at(-1) ?? "it said nothing").trim()
    }`,
  );
}
