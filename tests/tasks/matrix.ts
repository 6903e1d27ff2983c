/**
 * `deno task test:matrix`: runs the live tests on each release of QEMU that pagewalk is held against,
 * and prints what passed by release and connector, then what passed of the other live tests. The releases are fetched once, about 200 MB each. Not
 * part of CI. Arguments are releases: `deno task test:matrix 5.2 11.1`.
 */
import { qemuAvailable } from "../../src/testing/mod.ts";
import { LabError } from "../lab/mod.ts";
import { rowOf, ROWS } from "../matrix/connectors.ts";
import { parseJunit, type TestOutcome } from "../matrix/junit.ts";
import {
  QEMU_RELEASES,
  qemuOf,
  type QemuRelease,
  type ReleasedQemu,
} from "../matrix/qemu_releases.ts";

/** The tests of a release, or why there are none. */
interface ReleaseResult {
  release: QemuRelease;
  version: string;
  outcomes: TestOutcome[];
  problem?: string;
}

const unknown = Deno.args.filter((arg) => !QEMU_RELEASES.some(({ version }) => version === arg));
if (unknown.length > 0) {
  const known = QEMU_RELEASES.map(({ version }) => version).join(", ");
  console.error(`There is no release ${unknown.join(", ")} here, only ${known}`);
  Deno.exit(3);
}
const releases = QEMU_RELEASES.filter(({ version }) =>
  Deno.args.length === 0 || Deno.args.includes(version)
);
const RISCV = /^tests\/(?:riscv|elf)\//;
/** The simulated guest speaks as one release does; the others are about Linux, or libvirt itself. */
const NOT_OF_A_RELEASE = ["lab", "libvirt", "linux", "testing"];
const files = liveTests();
const results: ReleaseResult[] = [];
for (const release of releases) results.push(await run(release));
printTable(results);
printFailures(results);
const fine = results.every(({ problem, outcomes }) =>
  problem === undefined && outcomes.every(({ outcome }) => outcome !== "failed")
);
Deno.exit(fine ? 0 : 1);

/** The files whose tests run a QEMU of their own: by name, or in a folder that has only such. */
function liveTests(): string[] {
  const found = ["qemu", "linux"].map((guest) => `tests/conformance/${guest}_conformance_test.ts`);
  for (const folder of Deno.readDirSync("tests")) {
    if (!folder.isDirectory || NOT_OF_A_RELEASE.includes(folder.name)) continue;
    for (const file of Deno.readDirSync(`tests/${folder.name}`)) {
      if (/(^|_)live_test\.ts$/.test(file.name)) found.push(`tests/${folder.name}/${file.name}`);
    }
  }
  return found.sort();
}

async function run(release: QemuRelease): Promise<ReleaseResult> {
  const result: ReleaseResult = { release, version: release.version, outcomes: [] };
  const report = await Deno.makeTempFile({ prefix: "pagewalk-matrix-", suffix: ".xml" });
  try {
    await using released = await qemuOf(release, (line) => console.error(`[matrix] ${line}`));
    const { path } = released;
    const qemu = await qemuAvailable(path);
    result.version = qemu?.version ?? release.version;
    if (!qemu?.version.startsWith(`${release.version}.`)) {
      result.problem = `Debian ${release.suites[0]} has QEMU ${result.version} by now`;
    }
    for (const file of files) {
      // Another QEMU's RISC-V machines say nothing of this one.
      if (released.riscv === null && RISCV.test(file)) continue;
      console.error(`[matrix] QEMU ${result.version}: ${file}`);
      result.outcomes.push(...await runFile(file, programsOf(released), report));
    }
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    result.problem = error.message;
  } finally {
    await Deno.remove(report);
  }
  return result;
}

/** The variables by which the tests know which QEMU to run. */
function programsOf({ path, riscv }: ReleasedQemu): Record<string, string> {
  return {
    PAGEWALK_QEMU: path,
    ...riscv && { PAGEWALK_QEMU_RISCV64: riscv.path64, PAGEWALK_QEMU_RISCV32: riscv.path32 },
  };
}

/** Runs one file in a process of its own: the report names where a test was declared, not its file. */
async function runFile(
  file: string,
  programs: Record<string, string>,
  report: string,
): Promise<TestOutcome[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", "-A", "--no-check", `--junit-path=${report}`, file],
    // CI=true, so that a test whose QEMU is missing fails instead of being skipped.
    env: { ...programs, PAGEWALK_RISCV_MODES: "Sv39,Sv48,Sv57", CI: "true", NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) {
    for (const output of [stdout, stderr]) console.error(new TextDecoder().decode(output));
  }
  const outcomes = parseJunit(await Deno.readTextFile(report), file);
  await Deno.truncate(report);
  if (success || outcomes.some(({ outcome }) => outcome === "failed")) return outcomes;
  return [...outcomes, { file, name: "(the run itself)", outcome: "failed" }];
}

function printTable(results: readonly ReleaseResult[]): void {
  const counted = (outcomes: readonly TestOutcome[], row: string) =>
    cell(outcomes.filter((outcome) => rowOf(outcome) === row));
  const all = (outcomes: readonly TestOutcome[]) =>
    cell(outcomes.filter((outcome) => rowOf(outcome) !== null));
  const rows = [
    ["", ...results.map(({ version }) => `QEMU ${version}`)],
    ...ROWS.map((row) => [row, ...results.map(({ outcomes }) => counted(outcomes, row))]),
    ["all", ...results.map(({ outcomes }) => all(outcomes))],
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  for (const row of rows) console.log(row.map((text, i) => text.padEnd(widths[i]!)).join("  "));
}

/** So many of so many passed; skipped ones are told apart. */
function cell(outcomes: readonly TestOutcome[]): string {
  const count = (wanted: TestOutcome["outcome"]) =>
    outcomes.filter(({ outcome }) => outcome === wanted).length;
  if (outcomes.length === 0) return "-";
  const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
  return `${passed} passed${failed ? `, ${failed} FAILED` : ""}${
    skipped ? `, ${skipped} skipped` : ""
  }`;
}

function printFailures(results: readonly ReleaseResult[]): void {
  for (const { version, outcomes, problem } of results) {
    if (problem !== undefined) console.log(`QEMU ${version}: ${problem}`);
    for (const { file, name, step, outcome } of outcomes) {
      const where = step === undefined ? name : `${name}: ${step}`;
      if (outcome === "failed") console.log(`QEMU ${version}: ${file}: ${where}`);
    }
  }
}
