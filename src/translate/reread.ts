/**
 * What a verdict rests on is read again, so often. One reading more is not enough against a guest that
 * changes its tables without end: each further one leaves at most a third of what got past the others
 * (measured in tests/verify/flipping_test.ts).
 */
export const REREADINGS = 2;

/** Whether an entry still says what it said, apart from the bits that hardware sets whenever it likes. */
export function saysTheSame(before: bigint, now: bigint, hardwareBits: bigint): boolean {
  return ((before ^ now) & ~hardwareBits) === 0n;
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
