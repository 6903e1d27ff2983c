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
  /** All that it printed. */
  readonly output: string;
  readonly tookMs: number;
}

/** Runs one process to its end. Its output is kept together: others run beside it. */
export async function runUnit(unit: TestUnit, signal: AbortSignal): Promise<UnitResult> {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...unit.args],
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  // One stream for both, in the order in which they come.
  const chunks: Uint8Array[] = [];
  const keep = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) chunks.push(chunk);
  };
  await Promise.all([keep(child.stdout), keep(child.stderr)]);
  const { success } = await child.status;
  const output = await new Response(new Blob(chunks as BlobPart[])).text();
  return { unit, ...countTests(output, success), output, tookMs: performance.now() - started };
}

/** What `deno test` prints of its tests, read. A process that fails otherwise counts as one failure. */
export function countTests(
  output: string,
  success: boolean,
): Omit<UnitResult, "unit" | "output" | "tookMs"> {
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
