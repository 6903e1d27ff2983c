import { runUnit, type UnitResult } from "./run_unit.ts";
import type { TestUnit } from "./test_units.ts";

/**
 * Runs processes of tests, `lanes` at once, and yields each when it has ended. One lane takes those that
 * boot guests, as long as there are any, and the others take the rest: so guests boot beside work that
 * needs a processor, and seldom beside each other.
 */
export async function* runInLanes(
  units: readonly TestUnit[],
  lanes: number,
  run: (unit: TestUnit, signal: AbortSignal) => Promise<UnitResult> = runUnit,
): AsyncGenerator<UnitResult> {
  const live = units.filter((unit) => unit.live);
  const others = units.filter((unit) => !unit.live);
  const abort = new AbortController();
  const underWay = new Map<number, Promise<{ lane: number; result: UnitResult }>>();
  const start = (lane: number) => {
    const unit = lane === 0 ? live.shift() ?? others.shift() : others.shift() ?? live.shift();
    if (unit === undefined) underWay.delete(lane);
    else underWay.set(lane, run(unit, abort.signal).then((result) => ({ lane, result })));
  };
  try {
    for (let lane = 0; lane < lanes; lane++) start(lane);
    while (underWay.size > 0) {
      const { lane, result } = await Promise.race(underWay.values());
      start(lane);
      yield result;
    }
  } finally {
    // Whoever stops listening, or is interrupted, leaves no process behind.
    abort.abort();
  }
}
