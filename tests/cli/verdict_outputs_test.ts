/** Every script that verifies has the same outputs: `--json`, `--tap`, `--junit` and `--quiet`. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SaxesParser } from "saxes";
import { simulatedGuest } from "../../src/testing/mod.ts";
import { formatAddress } from "../../mod.ts";
import { JUnitCases, TapCases } from "../../src/report/mod.ts";
import { HOSTILE } from "../hostile_text/_hostile_text.ts";
import { runExample } from "../examples/_run.ts";

const { cleared, stillSet, neverTouched } = simulatedGuest().addresses;
const [CLEARED, SET, GONE] = [cleared, stillSet, neverTouched].map(formatAddress) as [
  string,
  string,
  string,
];
const log = (address: string) =>
  `<6>[1.0] VFIO: Clearing _PAGE_USER at vaddr ${address}, old PTE: 0x8000000110080867\n`;

/** A check, its exit code, and how its cases fare in TAP. */
interface Row {
  readonly command: string;
  readonly stdin?: string;
  readonly code: number;
  readonly oks: readonly boolean[];
}

const ROWS: readonly Row[] = [
  { command: `qemu_verify_pte.ts sim: ${CLEARED}`, code: 0, oks: [true] },
  { command: `qemu_verify_pte.ts sim: ${SET}`, code: 1, oks: [false] },
  { command: `qemu_verify_pte.ts sim: ${GONE}`, code: 2, oks: [false] },
  { command: `verify_range.ts sim: ${CLEARED} 4K`, code: 0, oks: [true] },
  { command: `verify_range.ts sim: ${SET} 4K`, code: 1, oks: [false] },
  { command: `fleet.ts sim: sim:b ${CLEARED}`, code: 0, oks: [true, true] },
  { command: `fleet.ts sim: none:x ${CLEARED}`, code: 3, oks: [true, false] },
  { command: `verify_dmesg.ts sim:`, stdin: log(SET), code: 1, oks: [false] },
  { command: `verify_dmesg.ts sim:`, stdin: log(GONE), code: 2, oks: [false] },
];

for (const { command, stdin, code, oks } of ROWS) {
  Deno.test(`${command}, exit ${code}: TAP, JUnit, nothing`, async () => {
    const [script, ...args] = command.split(" ");
    const run = async (form: string) => {
      const input = stdin === undefined ? {} : { stdin };
      const ran = await runExample(script!, [...args, form], input);
      assertEquals([ran.code, ran.stderr], [code, ""], form);
      return ran.stdout.trimEnd();
    };
    assertEquals(await run("--quiet"), "");
    const [head, ...lines] = (await run("--tap")).split("\n");
    assertEquals([head, lines.pop()], ["TAP version 14", `1..${oks.length}`]);
    assertEquals(lines.map((line) => line.startsWith("ok ")), oks);
    const { cases, failures, errors } = junitOf(await run("--junit"));
    assertEquals(cases, oks.length);
    assertEquals(failures + errors, oks.filter((ok) => !ok).length);
    assertEquals(failures, code === 1 ? 1 : 0);
  });
}

Deno.test("two outputs exclude each other", async () => {
  const args = ["sim:", CLEARED, "--json", "--quiet"];
  const { code, stdout, stderr } = await runExample("qemu_verify_pte.ts", args);
  assertEquals([code, stdout], [3, ""]);
  assertMatch(stderr, /^error: Choose one output: --json and --quiet exclude each other\n/);
});

Deno.test("no name and no reason breaks a report", () => {
  for (
    const text of [HOSTILE, '"/><x a="', "]]>", "&amp;<!--", "\ufffe\ud800\x00\x1b", "# SKIP\nok 9"]
  ) {
    const one = { name: text, verdict: "fail", reason: text } as const;
    const junit = new JUnitCases(text);
    junit.line(one);
    assertEquals(junitOf(junit.end("fail")), { cases: 1, failures: 1, errors: 0 });
    const tap = new TapCases();
    assertMatch(tap.line(one), /^not ok 1 - [^\n]*$/);
    assertEquals(tap.line(one).replace(/\\[\\#]/g, "").includes("#"), false);
  }
});

Deno.test("a report is never better than the result", () => {
  for (const verdict of ["fail", "inconclusive", "error"] as const) {
    assertMatch(new TapCases().end(verdict), /^not ok 1 - .*\n1\.\.1$/);
    const { failures, errors } = junitOf(new JUnitCases("x").end(verdict));
    assertEquals(failures + errors, 1);
  }
});

/** Reads a report by a parser that takes nothing but XML, and checks its counts. */
function junitOf(text: string): { cases: number; failures: number; errors: number } {
  const counts = { testcase: 0, failure: 0, error: 0 };
  const claimed: unknown[] = [];
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes: { tests, failures, errors } }) => {
    if (name in counts) counts[name as keyof typeof counts]++;
    if (name.startsWith("testsuite")) claimed.push([tests, failures, errors]);
  });
  parser.write(text).close();
  const { testcase: cases, failure: failures, error: errors } = counts;
  const found = [cases, failures, errors].map(String);
  assertEquals(claimed, [found, found]);
  assert(text.startsWith("<?xml "));
  return { cases, failures, errors };
}
