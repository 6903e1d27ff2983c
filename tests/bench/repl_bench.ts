/** How long the REPL takes until a user can type. */
import { type BenchRow, ms, timePairs } from "./_measure.ts";
import { runScript } from "./_process.ts";

/** Measures the start of the REPL on a terminal, up to its prompt, against an empty Deno process. */
export async function replBench(monitorPort: number): Promise<BenchRow[]> {
  const empty = await Deno.makeTempFile({ suffix: ".ts" });
  const ended: Promise<unknown>[][] = [];
  try {
    const script = new URL("../../repl.ts", import.meta.url).pathname;
    const repl = `run --allow-net=127.0.0.1:${monitorPort} ${script} ${monitorPort}`;
    const measure = (awaited: RegExp) =>
      timePairs(
        15,
        async () => ended.push(await startOnTerminal(repl, awaited)),
        () => runScript([empty]),
      );
    const prompt = await measure(/cpu0.*> /);
    const connected = await measure(/QEMU \d/);
    return [
      {
        name: "REPL, start to first prompt",
        figure: ms(prompt.aMs),
        against: `empty deno run ${ms(prompt.bMs)}`,
        ratio: `${prompt.ratio.toFixed(2)} times as long`,
        aim: "at most 2.5 times",
      },
      {
        name: "start to connected",
        figure: ms(connected.aMs),
        against: `empty deno run ${ms(connected.bMs)}`,
        ratio: `${connected.ratio.toFixed(2)} times as long`,
      },
    ];
  } finally {
    await Promise.all(ended.flat());
    await Deno.remove(empty);
  }
}

/**
 * Runs Deno on a terminal of its own until it prints what is waited for, or ends. Then it is ended; how
 * long that takes is not part of the time, so that the end is returned in a list.
 */
async function startOnTerminal(args: string, awaited: RegExp): Promise<Promise<unknown>[]> {
  const child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", `${Deno.execPath()} ${args}`, "/dev/null"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let printed = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text;
    if (awaited.test(printed)) {
      child.kill("SIGKILL");
      break;
    }
  }
  return [child.status, child.stdin.close()];
}
