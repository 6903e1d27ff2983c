import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { countTests, runUnit } from "./run_unit.ts";
import { unitsOf } from "./test_units.ts";
import { splitTimes } from "./unit_time.ts";

/** Runs a test file of this text, as `deno task test` would. */
async function run(text: string) {
  const file = await Deno.makeTempFile({ suffix: "_test.ts" });
  try {
    await Deno.writeTextFile(file, text);
    return await runUnit(unitsOf([file])[0]!, new AbortController().signal);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("runUnit() counts what Deno really prints, and names what failed and what was skipped", async () => {
  const { passed, failed, skipped, failedNames, skippedNames, output } = await run(`
    Deno.test("one", () => {});
    Deno.test("two", async (t) => { await t.step("part", () => {}); });
    Deno.test("three fails", () => { throw new Error("because of this"); });
    Deno.test({ name: "four, 9 passed", ignore: true, fn: () => {} });
  `);
  assertEquals([passed, failed, skipped], [2, 1, 1]);
  assertEquals(failedNames.length, 1);
  assertStringIncludes(failedNames[0]!, "three fails => ");
  assertEquals(skippedNames, ["four, 9 passed"]);
  assertStringIncludes(output, "because of this");
});

Deno.test({
  name:
    "runUnit() tells the processor time of a test and of what it starts, and keeps it out of the output",
  ignore: Deno.build.os === "windows",
  async fn() {
    const { cpuMs, output } = await run(`
      Deno.test("spins", () => {
        for (const end = performance.now() + 300; performance.now() < end;);
        new Deno.Command("sh", { args: ["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"] })
          .outputSync();
      });
    `);
    // The loops alone take some tenths of a second, on any machine.
    assert(cpuMs !== null && cpuMs > 100, `${cpuMs} ms`);
    assertEquals(/unit-times|\dm\d/.test(output), false, output);
  },
});

Deno.test("splitTimes() adds what the children took, and says when it is not known", () => {
  const times = "\npagewalk-unit-times\n0m0.01s 0m0.02s\n1m2.5s 0m3.25s\n";
  assertEquals(splitTimes(`ok | 1 passed\n${times}`), { output: "ok | 1 passed\n", cpuMs: 65_750 });
  assertEquals(splitTimes("Killed\n"), { output: "Killed\n", cpuMs: null });
});

Deno.test("runUnit() counts a file that cannot be loaded, and a process that dies", async () => {
  const broken = await run(`throw new Error("at the top");`);
  assertEquals([broken.passed, broken.failed], [0, 1]);
  assert(broken.failedNames[0]!.length > 0);
  const dies = await run(`Deno.test("it ends", () => { Deno.kill(Deno.pid, "SIGKILL"); });`);
  assertEquals([dies.failed, dies.failedNames], [1, ["(the run itself)"]]);
});

Deno.test("countTests() counts a type check that fails as one failure, and one that passes as none", () => {
  assertEquals(countTests("TS2322 [ERROR]: Type 'string' is not …", false).failed, 1);
  assertEquals(countTests("", true), {
    passed: 0,
    failed: 0,
    skipped: 0,
    failedNames: [],
    skippedNames: [],
  });
});
