/** What a script printed and how it ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs an example as a user would: a process of its own, only the permissions given, no prompt, no
 * colours.
 */
export async function runExample(
  name: string,
  args: readonly string[],
  options: { permissions?: readonly string[]; stdin?: string } = {},
): Promise<Outcome> {
  const script = new URL(`../../examples/${name}`, import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...options.permissions ?? [], script, ...args],
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The least permission for a monitor on a port of this machine. */
export function netTo(port: number): string[] {
  return [`--allow-net=127.0.0.1:${port}`];
}
