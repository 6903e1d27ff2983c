import { assertEquals } from "@std/assert";
import { readByBoth } from "../../src/memory/_agreement.ts";

/** Two ways to words that give, reading by reading, what a list says; the last one stays. */
function ways(file: number[][], monitor: number[][]) {
  let readings = 0;
  const from = (list: number[][]) => {
    let i = 0;
    return () => {
      readings++;
      const words = list[Math.min(i++, list.length - 1)]!;
      return Promise.resolve(new Uint8Array(BigUint64Array.from(words.map(BigInt)).buffer));
    };
  };
  return { file: from(file), monitor: from(monitor), readings: () => readings };
}

Deno.test("what is equal at once is read three times", async () => {
  const both = ways([[1, 2, 3]], [[1, 2, 3]]);
  assertEquals((await readByBoth(both)).differsAt, null);
  assertEquals(both.readings(), 3);
});

Deno.test("a write between the two readings is no difference", async () => {
  for (
    const both of [
      ways([[1], [2]], [[1]]), // After the monitor has read.
      ways([[1], [2]], [[2]]), // Before it has.
      ways([[1], [1], [2]], [[2]]), // The file's first two readings came too early.
      ways([[1, 5], [2, 5]], [[2, 5]]),
    ]
  ) assertEquals((await readByBoth(both)).differsAt, null);
});

Deno.test("a word that keeps changing is the guest's", async () => {
  const file = Array.from({ length: 40 }, (_, i) => [i, 7]);
  const monitor = Array.from({ length: 40 }, (_, i) => [1000 + i, 7]);
  assertEquals((await readByBoth(ways(file, monitor))).differsAt, null);
});

Deno.test("an old copy stays different, whatever changes around it", async () => {
  assertEquals((await readByBoth(ways([[1, 2, 3]], [[1, 2, 4]]))).differsAt, 16);
  const file = Array.from({ length: 40 }, (_, i) => [i, 7]);
  const monitor = Array.from({ length: 40 }, (_, i) => [i, 8]);
  assertEquals((await readByBoth(ways(file, monitor))).differsAt, 8);
});

Deno.test("bytes that are no whole word count too", async () => {
  const bytes = (last: number) => Promise.resolve(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, last]));
  const { differsAt } = await readByBoth({ file: () => bytes(9), monitor: () => bytes(10) });
  assertEquals(differsAt, 8);
});
