/** Runs a script to its end, as a process of its own. */
export async function runScript(args: readonly string[]): Promise<{ stderr: string }> {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...args],
    stdout: "null",
    stderr: "piped",
  }).output();
  return { stderr: new TextDecoder().decode(stderr) };
}

/** Returns the most memory that a script's process takes, in MiB. */
export async function peakMebibytes(args: readonly string[]): Promise<number> {
  // Deno lets only a process with all permissions read what /proc says of it.
  const preload = new URL("./_peak.ts", import.meta.url).pathname;
  const rest = args.filter((arg) => !arg.startsWith("--allow-"));
  const { stderr } = await runScript([`--preload=${preload}`, "--allow-all", ...rest]);
  const [, kibibytes] = /peak (\d+) KiB/.exec(stderr) ?? [];
  if (kibibytes === undefined) throw new Error(`The peak was not told: ${stderr}`);
  return Number(kibibytes) / 1024;
}
