/** What one process of `deno task test` runs. */
export interface TestUnit {
  /** What it is called in the output: a folder or a file. */
  readonly name: string;
  /** Guests boot in it, or it waits for a terminal: then one at a time, as long as there is other work. */
  readonly live: boolean;
  /** The arguments of `deno` that run it. */
  readonly args: readonly string[];
}

/** The documentation whose examples are run, in two processes: each example loads the whole SDK. */
export const DOCUMENTED: readonly (readonly string[])[] = [["mod.ts", "repl.ts", "README.md"], [
  "src",
]];

/** Types are checked once for all, those of examples in documentation too; the other processes then need not. */
export const TYPE_CHECK: TestUnit = {
  name: "types",
  live: false,
  args: ["check", "--quiet", "--doc", "mod.ts", "repl.ts", "src", "examples", "tests", "README.md"],
};

/**
 * Whatever runs tests: all that they may need. Leaks fail a test without `--trace-leaks`, too: it adds where
 * each began, and takes a stack trace of every operation for that.
 */
const TEST = ["test", "--no-prompt", "--allow-all"];

/** Files of these names boot guests, run daemons or draw on a terminal. */
const LIVE =
  /[/_](?:live|lab|newest_kernel)_test\.ts$|\/(?:lab|e2e|conformance|libvirt|dump|examples|report_html)\/|\/repl\/(?:lab|screen|terminal)/;

/**
 * Deals test files out to processes: each live file has its own, so that guests boot beside other work;
 * the others of a folder share one. `flags` are passed on to each.
 */
export function unitsOf(files: readonly string[], flags: readonly string[] = []): TestUnit[] {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const name = isLive(file) ? file : file.slice(0, file.lastIndexOf("/"));
    groups.set(name, [...groups.get(name) ?? [], file]);
  }
  return [...groups].map(([name, group]) => ({
    name,
    live: isLive(name),
    args: [...TEST, "--no-check", ...flags, ...group],
  }));
}

/** The processes that run the examples of the documentation. */
export function documentationUnits(
  targets: readonly (readonly string[])[],
  flags: readonly string[] = [],
): TestUnit[] {
  return targets.map((paths) => ({
    name: `examples of ${paths.join(", ")}`,
    live: false,
    args: [...TEST, "--doc", ...flags, ...paths],
  }));
}

function isLive(file: string): boolean {
  return LIVE.test(file);
}

/** What takes longest, by `deno task test --times`: begun late, it would run alone at the end. */
const LONGEST = [
  "tests/linux/live_test.ts",
  "examples of src",
  "tests/linux/newest_kernel_test.ts",
  "tests/packaging",
  "tests/linux/vfio_mappings_live_test.ts",
  "tests/conformance/linux_conformance_test.ts",
  "types",
];

/** Puts the processes that take longest first. */
export function longestFirst(units: readonly TestUnit[]): TestUnit[] {
  const place = ({ name }: TestUnit) => {
    const at = LONGEST.indexOf(name);
    return at < 0 ? LONGEST.length : at;
  };
  return units.toSorted((a, b) => place(a) - place(b));
}
