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
  options: {
    permissions?: readonly string[];
    stdin?: string;
    /** Called when its first output has come. */
    onOutput?: () => void;
  } = {},
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
  const [stdout, stderr] = await Promise.all([
    textOf(child.stdout, options.onOutput),
    textOf(child.stderr),
  ]);
  return { code: (await child.status).code, stdout, stderr };
}

async function textOf(stream: ReadableStream<Uint8Array>, onFirst?: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    if (text === "") onFirst?.();
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/** Starts an example as {@linkcode runExample} does, to be interrupted. */
export function startExample(
  name: string,
  args: readonly string[],
  permissions: readonly string[],
): Deno.ChildProcess {
  const script = new URL(`../../examples/${name}`, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, script, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

/** The least permission for a monitor on a port of this machine. */
export function netTo(port: number): string[] {
  return [`--allow-net=127.0.0.1:${port}`];
}
