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
  const documented = units.filter(({ args }) => args[0] === "test" && args.includes("--doc"))
    .flatMap(({ args }) => args);
  for (const path of ["mod.ts", "repl.ts", "src", "README.md"]) {
    assertEquals(documented.filter((arg) => arg === path), [path]);
  }
  // Types are checked once for all files, and for the examples of documentation.
  for (const { args } of units) {
    assertEquals(args.includes("--no-check"), args[0] === "test");
  }
  assertEquals(units.find(({ args }) => args[0] === "check")!.args.includes("--doc"), true);
  // Documentation alone is checked where it runs.
  for (const { args } of chooseTests(["README.md"], TESTS).units) {
    assertEquals(args.includes("--no-check"), false);
  }
});

Deno.test("chooseTests() begins with what takes longest, so that nothing runs alone at the end", () => {
  const names = chooseTests([], TESTS).units.map(({ name }) => name);
  assertEquals(names.slice(0, 3), ["tests/linux/live_test.ts", "examples of src", "types"]);
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
