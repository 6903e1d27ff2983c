/** What a script's process printed. */
export interface ScriptOutput {
  stdout: string;
  stderr: string;
}

/** Runs a script to its end, as a process of its own. */
export async function runScript(args: readonly string[]): Promise<ScriptOutput> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...args],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a script to its end, and says how much processor time its process took, in milliseconds. */
export async function scriptCpuMs(args: readonly string[]): Promise<number> {
  // Deno does not tell what a process has used; bash does, to the millisecond.
  const time = 'TIMEFORMAT="%3U %3S"; time "$@"';
  const { stderr } = await new Deno.Command("bash", {
    args: ["-c", time, "bash", Deno.execPath(), "run", "--no-prompt", ...args],
    env: { LC_ALL: "C" },
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  const [, user, system] = /(\d+\.\d+) (\d+\.\d+)\n$/.exec(text) ?? [];
  if (user === undefined) throw new Error(`The processor time was not told: ${text}`);
  return (Number(user) + Number(system)) * 1000;
}

/** Runs a script, and says how much memory its process took at most, in MiB. */
export async function runWithPeak(
  args: readonly string[],
): Promise<{ stdout: string; peakMib: number }> {
  // Deno lets only a process with all permissions read what /proc says of it.
  const preload = new URL("./_peak.ts", import.meta.url).pathname;
  const rest = args.filter((arg) => !arg.startsWith("--allow-"));
  const { stdout, stderr } = await runScript([`--preload=${preload}`, "--allow-all", ...rest]);
  const [, kibibytes] = /peak (\d+) KiB/.exec(stderr) ?? [];
  if (kibibytes === undefined) throw new Error(`The peak was not told: ${stderr}`);
  return { stdout, peakMib: Number(kibibytes) / 1024 };
}

/** Returns the most memory that a script's process takes, in MiB. */
export async function peakMebibytes(args: readonly string[]): Promise<number> {
  return (await runWithPeak(args)).peakMib;
}
