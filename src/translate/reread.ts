/**
 * What a verdict rests on is read again, so often. One reading more is not enough against a guest that
 * changes its tables without end: each further one leaves at most a third of what got past the others
 * (measured in tests/verify/flipping_test.ts).
 */
export const REREADINGS = 2;

/** The accessed and dirty bits: the processor sets them whenever it likes (SDM volume 3, 4.8). */
export const SET_BY_PROCESSOR = 0x60n;

/** Whether an entry still says what it said, apart from accessed and dirty bits. */
export function saysTheSame(before: bigint, now: bigint): boolean {
  return ((before ^ now) & ~SET_BY_PROCESSOR) === 0n;
}

/**
 * The items in an order by chance. What is read again is read in another order each time, so that a guest
 * which changes its tables at a steady pace does not stay in step with the readings.
 */
export function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!];
  }
  return mixed;
}
