import { assertEquals } from "@std/assert";
import { rowOf } from "./connectors.ts";
import { parseJunit } from "./junit.ts";

Deno.test("a report of deno test is read: passed, failed and skipped, and steps by their connector", () => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.1">
  <testsuite name="./tests/live.ts" tests="4">
    <testcase name="QEMU over tcp: a &amp; &quot;b&quot;" classname="./tests/live.ts" time="0.1">
    </testcase>
    <testcase name="two" classname="./tests/live.ts" time="0.1"><failure message="x">y</failure></testcase>
    <testcase name="three" classname="./tests/live.ts"><skipped/></testcase>
    <testcase name="two &gt; its step" classname="./tests/live.ts" time="0.1"/>
    <testcase name="every connector to it &gt; gdbstub" classname="./tests/live.ts" time="0.1"/>
    <testcase name="every connector to it &gt; gdbstub &gt; deeper" classname="./tests/live.ts" time="0.1"/>
    <testcase name="every connector to it" classname="./tests/live.ts" time="0.1"/>
  </testsuite>
</testsuites>`;
  const outcomes = parseJunit(xml, "tests/a_test.ts");
  assertEquals(outcomes.map(({ name, step, outcome }) => [name, step, outcome]), [
    ['QEMU over tcp: a & "b"', undefined, "passed"],
    ["two", undefined, "failed"],
    ["three", undefined, "skipped"],
    ["two", "its step", "passed"],
    ["every connector to it", "gdbstub", "passed"],
    ["every connector to it", undefined, "passed"],
  ]);
  assertEquals(outcomes.map(rowOf), ["monitors", "monitors", "monitors", null, "gdbstub", null]);
});
