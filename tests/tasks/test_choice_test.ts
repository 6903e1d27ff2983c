import { assertEquals, assertThrows } from "@std/assert";
import { chooseTests, type Tests } from "./test_choice.ts";

const TEXTS: Readonly<Record<string, string>> = {
  "tests/core/address_test.ts": 'Deno.test("parseAddress() takes text", () => {});',
  "tests/core/escape_test.ts": 'Deno.test("escapeText() is plain", () => {});',
  "tests/linux/live_test.ts": 'Deno.test("a real Linux", () => {});',
  "tests/linux/log_test.ts": 'Deno.test("a log takes text", () => {});',
};
const EXISTING = ["tests", "tests/core", "tests/linux", "README.md", ...Object.keys(TEXTS)];
const TESTS: Tests = {
  files: Object.keys(TEXTS),
  exists: (path) => EXISTING.includes(path),
  text: (file) => TEXTS[file]!,
};

/** The files and filters of each process. */
function chosen(...args: string[]): string[] {
  return chooseTests(args, TESTS).units.map(({ args }) =>
    args.filter((arg) => /^--(filter|doc)|\.(ts|md)$|^src$/.test(arg)).join(" ")
  );
}

Deno.test("chooseTests() runs every file once, the examples and the type check, if nothing is asked for", () => {
  const { units, said } = chooseTests([], TESTS);
  assertEquals(said, null);
  const files = units.flatMap(({ args }) => args.filter((arg) => arg.endsWith("_test.ts")));
  assertEquals(files.sort(), [...TESTS.files]);
  assertEquals(units.filter(({ args }) => args[0] === "check").length, 1);
  const documented = units.filter(({ args }) => args.includes("--doc")).flatMap(({ args }) => args);
  for (const path of ["mod.ts", "repl.ts", "src", "README.md"]) {
    assertEquals(documented.filter((arg) => arg === path), [path]);
  }
  // Types are checked once for all files; those of examples are not among them.
  for (const { args } of units) {
    assertEquals(args.includes("--no-check"), args[0] === "test" && !args.includes("--doc"));
  }
});

Deno.test("chooseTests() takes files, folders, and parts of paths", () => {
  assertEquals(chosen("tests/core/escape_test.ts"), ["tests/core/escape_test.ts"]);
  assertEquals(chosen("./tests/core/"), ["tests/core/address_test.ts tests/core/escape_test.ts"]);
  assertEquals(chosen("Address"), ["tests/core/address_test.ts"]);
  assertEquals(chosen("linux"), ["tests/linux/live_test.ts", "tests/linux/log_test.ts"]);
  assertEquals(chosen("escape", "log_"), ["tests/core/escape_test.ts", "tests/linux/log_test.ts"]);
  assertEquals(chosen("README.md"), ["--doc README.md"]);
});

Deno.test("chooseTests() takes part of a test's name, and says what it chose", () => {
  const { units, said } = chooseTests(["takes text"], TESTS);
  assertEquals(units.length, 2);
  assertEquals(
    said,
    '  tests/core/address_test.ts: tests with "takes text"\n' +
      '  tests/linux/log_test.ts: tests with "takes text"',
  );
  assertThrows(() => chooseTests(["nowhere"], TESTS), RangeError, '"nowhere"');
});

Deno.test("chooseTests() passes flags on to every process", () => {
  for (const { args } of chooseTests(["--fail-fast"], TESTS).units) {
    assertEquals(args.filter((arg) => arg === "--fail-fast").length, 1);
  }
});
