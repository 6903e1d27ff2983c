import { assertEquals } from "@std/assert";
import { doorOf } from "./doors.ts";
import { parseJunit } from "./junit.ts";

Deno.test("a report of deno test is read: passed, failed and skipped, but not steps", () => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.1">
  <testsuite name="./tests/live.ts" tests="4">
    <testcase name="QEMU over tcp: a &amp; &quot;b&quot;" classname="./tests/live.ts" time="0.1">
    </testcase>
    <testcase name="two" classname="./tests/live.ts" time="0.1"><failure message="x">y</failure></testcase>
    <testcase name="three" classname="./tests/live.ts"><skipped/></testcase>
    <testcase name="two &gt; its step" classname="./tests/live.ts" time="0.1"/>
  </testsuite>
</testsuites>`;
  const outcomes = parseJunit(xml, "tests/a_test.ts");
  assertEquals(outcomes.map(({ name, outcome }) => [name, outcome]), [
    ['QEMU over tcp: a & "b"', "passed"],
    ["two", "failed"],
    ["three", "skipped"],
  ]);
  assertEquals(outcomes.map(doorOf), ["tcp", "monitor", "monitor"]);
});
