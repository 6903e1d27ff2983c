/** One line of the bench: a figure beside another of the same run. */
export interface BenchRow {
  /** What was measured. */
  name: string;
  /** Its figure, with the unit. */
  figure: string;
  /** What it is held against, with its figure. */
  against: string;
  /** How the two compare. */
  ratio: string;
  /** What was aimed at, if anything was. */
  aim?: string;
}

/** Returns the middle of some figures. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Returns how many milliseconds a step takes. */
export async function timeMs(step: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await step();
  return performance.now() - started;
}

/**
 * Measures two steps in turn, so that a machine whose speed drifts is as fast for one as for the other.
 * The first round warms both up and is not counted.
 */
export async function measurePairs(
  rounds: number,
  a: () => Promise<number>,
  b: () => Promise<number>,
): Promise<{ aMs: number; bMs: number; ratio: number }> {
  const pairs: [number, number][] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair: [number, number] = [await a(), await b()];
    if (round > 0) pairs.push(pair);
  }
  return {
    aMs: median(pairs.map(([aMs]) => aMs)),
    bMs: median(pairs.map(([, bMs]) => bMs)),
    ratio: median(pairs.map(([aMs, bMs]) => aMs / bMs)),
  };
}

/** Times two steps in turn, as {@linkcode measurePairs} does. */
export function timePairs(
  rounds: number,
  a: () => Promise<unknown>,
  b: () => Promise<unknown>,
): Promise<{ aMs: number; bMs: number; ratio: number }> {
  return measurePairs(rounds, () => timeMs(a), () => timeMs(b));
}

/** Writes milliseconds as a figure. */
export function ms(value: number): string {
  return value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`;
}
