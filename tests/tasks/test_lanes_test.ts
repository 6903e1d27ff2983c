import { assertEquals } from "@std/assert";
import type { UnitResult } from "./run_unit.ts";
import { runInLanes } from "./test_lanes.ts";
import type { TestUnit } from "./test_units.ts";

const unit = (name: string, live = false): TestUnit => ({ name, live, args: [] });
const resultOf = (unit: TestUnit): UnitResult => ({
  unit,
  passed: 1,
  failed: 0,
  skipped: 0,
  failedNames: [],
  skippedNames: [],
  left: [],
  output: "",
  tookMs: 0,
  cpuMs: 0,
});

Deno.test("runInLanes() runs each once, so many at once, and one with a guest while there are others", async () => {
  const units = [
    ...["a", "b", "c"].map((name) => unit(name, true)),
    ...["d", "e", "f", "g", "h"].map((name) => unit(name)),
  ];
  let [underWay, most, liveUnderWay, ran] = [0, 0, 0, 0];
  const done: string[] = [];
  const results = runInLanes(units, 2, async (unit) => {
    most = Math.max(most, ++underWay);
    if (unit.live) liveUnderWay++;
    // Three with a guest and five others, which take as long.
    if (liveUnderWay > 1) assertEquals(ran >= 5, true, "two guests while there was other work");
    await new Promise((resolve) => setTimeout(resolve, 1));
    ran++;
    underWay--;
    if (unit.live) liveUnderWay--;
    return resultOf(unit);
  });
  for await (const { unit } of results) done.push(unit.name);
  assertEquals(done.sort().join(""), "abcdefgh");
  assertEquals(most, 2);
});

Deno.test("runInLanes() ends what runs when its reader stops", async () => {
  let aborted = false;
  const results = runInLanes([unit("short"), unit("long")], 2, async (unit, signal) => {
    signal.addEventListener("abort", () => aborted = true);
    if (unit.name === "long") await new Promise(() => {});
    return resultOf(unit);
  });
  for await (const _ of results) break;
  assertEquals(aborted, true);
});
