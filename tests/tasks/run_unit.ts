import { splitTimes, timed } from "./unit_time.ts";
import type { TestUnit } from "./test_units.ts";

/** What became of one process of tests. */
export interface UnitResult {
  readonly unit: TestUnit;
  /** How many tests passed, failed and were skipped. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The names of those that failed and were skipped. */
  readonly failedNames: readonly string[];
  readonly skippedNames: readonly string[];
  /** What it left behind: processes, and temporary files. */
  readonly left: readonly string[];
  /** All that it printed. */
  readonly output: string;
  readonly tookMs: number;
  /** The processor time of it and of all that it started, guests included; null if that is not known. */
  readonly cpuMs: number | null;
}

/** What a process is run with. */
export interface RunUnitOptions {
  /** Variables that it finds in its environment, besides this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Says what it has left behind once it has ended, and clears that away. */
  readonly leftBehind?: () => Promise<readonly string[]>;
}

/** Runs one process to its end. Its output is kept together: others run beside it. */
export async function runUnit(
  unit: TestUnit,
  signal: AbortSignal,
  options: RunUnitOptions = {},
): Promise<UnitResult> {
  const started = performance.now();
  const [program, args] = timed(Deno.execPath(), unit.args);
  const child = new Deno.Command(program, {
    args,
    stdout: "piped",
    stderr: "piped",
    env: { ...options.environment },
    signal,
  }).spawn();
  // One stream for both, in the order in which they come.
  const chunks: Uint8Array[] = [];
  const keep = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) chunks.push(chunk);
  };
  const reading = Promise.all([keep(child.stdout), keep(child.stderr)]);
  const { success } = await child.status;
  // What still runs may hold the streams open, so it has to go before they end.
  const left = await options.leftBehind?.() ?? [];
  await reading;
  const { output, cpuMs } = splitTimes(await new Response(new Blob(chunks as BlobPart[])).text());
  const counted = countTests(output, success);
  return { unit, ...counted, left, output, tookMs: performance.now() - started, cpuMs };
}

/** What `deno test` prints of its tests, read. A process that fails otherwise counts as one failure. */
export function countTests(
  output: string,
  success: boolean,
): Omit<UnitResult, "unit" | "output" | "tookMs" | "cpuMs" | "left"> {
  // deno-lint-ignore no-control-regex
  const lines = output.replaceAll(/\x1b\[[0-9;]*m/g, "").split(/\r?\n/);
  // Deno's own last line: "ok | 123 passed (4 steps) | 0 failed | 2 ignored (10s)".
  const last = lines.findLast((line) => /^(?:ok|FAILED) \| \d+ passed/.test(line)) ?? "";
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}\\b`).exec(last)?.[1] ?? 0);
  const failedNames = failures(lines);
  const skippedNames = lines.flatMap((line) => /^(.+) \.\.\. ignored \(/.exec(line)?.[1] ?? []);
  const failed = count("failed");
  if (success || failed > 0) {
    return {
      passed: count("passed"),
      failed,
      skipped: count("ignored"),
      failedNames,
      skippedNames,
    };
  }
  return {
    passed: count("passed"),
    failed: 1,
    skipped: count("ignored"),
    failedNames: failedNames.length > 0 ? failedNames : ["(the run itself)"],
    skippedNames,
  };
}

/** The names under Deno's "FAILURES", each with its file and line. */
function failures(lines: readonly string[]): string[] {
  const start = lines.findLastIndex((line) => /^\s*FAILURES\s*$/.test(line));
  if (start < 0) return [];
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^(?:ok|FAILED) \|/.test(line));
  return rest.slice(0, end < 0 ? undefined : end).filter((line) => line.trim() !== "");
}
