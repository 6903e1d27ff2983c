import {
  documentationUnits,
  DOCUMENTED,
  longestFirst,
  type TestUnit,
  TYPE_CHECK,
  unitsOf,
} from "./test_units.ts";

/** What the project has to test. */
export interface Tests {
  /** The paths of all test files. */
  readonly files: readonly string[];
  /** Whether there is such a file or folder. */
  exists(path: string): boolean;
  /** Returns what is in a test file. */
  text(file: string): string;
}

/** Which tests are run. */
export interface TestChoice {
  readonly units: readonly TestUnit[];
  /** What was chosen, for the user; null if it is everything. */
  readonly said: string | null;
}

/**
 * Turns the arguments of `deno task test` into processes. Each argument is a file or folder, part of a
 * test file's path, or part of a test's name; without one, everything is run. What begins with `-` is
 * passed on to `deno test`.
 *
 * @throws {RangeError} if an argument names nothing
 */
export function chooseTests(args: readonly string[], tests: Tests): TestChoice {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const wanted = args.filter((arg) => !arg.startsWith("-"));
  if (wanted.length === 0) {
    const files = unitsOf(tests.files, flags);
    // A flag such as --filter asks for part of it: the types are not among that.
    const others = flags.length > 0
      ? documentationUnits(DOCUMENTED, flags)
      : [TYPE_CHECK, ...documentationUnits(DOCUMENTED, ["--no-check"])];
    return { units: longestFirst([...others, ...files]), said: null };
  }
  const files = new Set<string>();
  const documents: string[] = [];
  const names: string[] = [];
  for (const arg of wanted) {
    const path = arg.replace(/^\.\//, "").replace(/\/$/, "");
    const inPath = tests.files.filter((file) =>
      tests.exists(path)
        ? file === path || file.startsWith(`${path}/`)
        : file.toLowerCase().includes(path.toLowerCase())
    );
    if (inPath.length > 0) { for (const file of inPath) files.add(file); }
    else if (tests.exists(path) && path.endsWith("_test.ts")) files.add(path);
    else if (tests.exists(path)) documents.push(path);
    else names.push(arg);
  }
  const byName = names.flatMap((name) => namedUnits(name, tests, flags));
  const units = [
    ...unitsOf([...files].sort(), flags),
    ...documents.length > 0 ? documentationUnits([documents], flags) : [],
    ...byName,
  ];
  return { units, said: units.map(sayUnit).join("\n") };
}

/** The tests that have a text in their names, in the files that have it too. */
function namedUnits(name: string, tests: Tests, flags: readonly string[]): TestUnit[] {
  const files = tests.files.filter((file) => tests.text(file).includes(name));
  if (files.length === 0) {
    throw new RangeError(
      `No test file has "${name}" in its path or its text; for names that are put together at run ` +
        `time: deno task test '--filter=${name}'`,
    );
  }
  return unitsOf(files, [...flags, `--filter=${name}`]);
}

function sayUnit({ args }: TestUnit): string {
  const files = args.filter((arg, i) => i > 0 && !arg.startsWith("-")).join(" ");
  const filter = args.find((arg) => arg.startsWith("--filter="));
  return filter ? `  ${files}: tests with "${filter.slice("--filter=".length)}"` : `  ${files}`;
}
