/**
 * `deno task test`: has what the tests need, runs them all, several processes at once, and ends with one
 * line that counts them. `deno task test FILTER` runs part of them: a file or folder, part of a test
 * file's path, or part of a test's name. `PAGEWALK_TEST_JOBS` says how many processes run at once.
 */
import { prepareLab } from "./prepare_lab.ts";
import { install, missingPackages } from "./packages.ts";
import { runUnit, type UnitResult } from "./run_unit.ts";
import { chooseTests, type TestChoice } from "./test_choice.ts";
import { runInLanes } from "./test_lanes.ts";
import { TestRun } from "./test_run.ts";
import type { TestUnit } from "./test_units.ts";

const CI = Deno.env.get("CI") === "true";
const started = performance.now();
const withTimes = Deno.args.includes("--times");
const choice = choose();
const missing = await install(missingPackages());
if (missing.length > 0) {
  console.log(`Without ${missing.join(" ")} the tests that need them are skipped.`);
  if (CI) fail("With CI=true nothing may be skipped for a missing package.");
}
if (choice.said !== null) console.log(`Running:\n${choice.said}`);
await prepareLab(choice.units, (file) => Deno.readTextFileSync(file));
const results = await runAll(choice.units);
Deno.exit(summarize(results) ? 0 : 1);

/** Runs all processes, and tells of each when it has ended. */
async function runAll(units: readonly TestUnit[]): Promise<UnitResult[]> {
  await using run = await TestRun.start();
  const results: UnitResult[] = [];
  let started = 0;
  const runMarked = async (unit: TestUnit, signal: AbortSignal) => {
    const index = started++;
    const environment = await run.environment(index);
    return await runUnit(unit, signal, { environment, leftBehind: () => run.leftBehind(index) });
  };
  for await (const result of runInLanes(units, jobs(), runMarked)) {
    await run.unlessStopped();
    results.push(result);
    report(result);
  }
  return results;
}

/** Says what became of everything, and whether that is good. */
function summarize(results: readonly UnitResult[]): boolean {
  const sum = (of: (result: UnitResult) => number) =>
    results.reduce((total, result) => total + of(result), 0);
  const failed = sum((result) => result.failed);
  const skipped = sum((result) => result.skipped);
  if (failed > 0) {
    console.log("\nFailed; what they said stands above:");
    for (const { unit, failedNames } of results) {
      for (const name of failedNames) console.log(`  ${unit.name}: ${name}`);
    }
  }
  const none = choice.said !== null &&
    results.every(({ passed, failed, skipped, unit }) =>
      passed + failed + skipped === 0 && unit.args[0] === "test"
    );
  if (none) fail("No test has that in its name.");
  if (CI && skipped > 0) console.log("\nWith CI=true nothing may be skipped.");
  if (withTimes) console.log(`\n${timesTable(results)}`);
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(`\n${minutes} min${cpuText()}`);
  const summary = `${sum((result) => result.passed)} passed, ${failed} failed`;
  console.log(skipped > 0 ? `${summary}, ${skipped} skipped` : summary);
  return failed === 0 && !(CI && skipped > 0);
}

/** The processor time of each process, guests included: the longest first. */
function timesTable(results: readonly UnitResult[]): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(1).padStart(8);
  const sorted = results.toSorted((a, b) => (b.cpuMs ?? 0) - (a.cpuMs ?? 0));
  return [
    "CPU s    wall s",
    ...sorted.map(({ unit, cpuMs, tookMs }) =>
      `${cpuMs === null ? "?".padStart(8) : seconds(cpuMs)} ${seconds(tookMs)}  ${unit.name}`
    ),
  ].join("\n");
}

function choose(): TestChoice {
  try {
    return chooseTests(Deno.args.filter((arg) => arg !== "--times"), {
      files: testFiles("tests").sort(),
      exists: (path) => statOf(path) !== null,
      text: (file) => Deno.readTextFileSync(file),
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    fail(error.message);
  }
}

function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? testFiles(path) : name.endsWith("_test.ts") ? [path] : [];
  });
}

function statOf(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Guests wait much of their time, so there may be one process more than processors. */
function jobs(): number {
  const text = Deno.env.get("PAGEWALK_TEST_JOBS");
  if (text === undefined) return Math.min(navigator.hardwareConcurrency + 1, 6);
  if (!/^[1-9]\d?$/.test(text)) fail(`PAGEWALK_TEST_JOBS is no number of processes: ${text}`);
  return Number(text);
}

/** One line for tests that pass, with those that were skipped; all that was said by others. */
function report({ unit, passed, failed, skippedNames, left, output, tookMs }: UnitResult): void {
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  if (failed > 0 || choice.said !== null) {
    console.log(`\n── ${unit.name}`);
    console.log(output.trimEnd());
  }
  const count = failed > 0 ? `${passed} passed, ${failed} FAILED` : `${passed} passed`;
  console.log(`${failed > 0 ? "FAILED" : "ok"}  ${unit.name}: ${count} (${took})`);
  for (const name of skippedNames) console.log(`    skipped: ${name}`);
  for (const one of left) console.log(`    left behind: ${one}`);
}

/** The processor time of all processes so far, where it is known: it does not depend on what else runs. */
function cpuText(): string {
  if (Deno.build.os !== "linux") return "";
  // Of children that were waited for: user and system time, in hundredths of a second.
  const fields = Deno.readTextFileSync("/proc/self/stat").split(") ").at(-1)!.split(" ");
  return `, ${((Number(fields[13]) + Number(fields[14])) / 6000).toFixed(1)} min of processor time`;
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(1);
}
