/** The scripts as users run them: processes without any permission, against the simulated guest. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

interface Run {
  code: number;
  out: string;
  err: string;
  lines: string[];
}

async function run(script: string, ...args: string[]): Promise<Run> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", `examples/${script}.ts`, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const out = new TextDecoder().decode(stdout);
  return { code, out, err: new TextDecoder().decode(stderr), lines: out.trimEnd().split("\n") };
}

Deno.test("verify_range.ts passes, fails, is inconclusive, and refuses", async () => {
  const [pass, fail, hole, usage] = await Promise.all([
    run("verify_range", "sim:", "0x7f1234567000", "64K"),
    run("verify_range", "sim:", "0x7f1234575000", "16K"),
    run("verify_range", "sim:", "0x7f1234566000", "8K"),
    run("verify_range", "sim:", "0x7f1234567000", "much"),
  ]);
  assertEquals([pass.code, fail.code, hole.code, usage.code], [0, 1, 2, 3]);
  assertEquals(pass.lines.at(-1), "[+] Verification PASSED: 16 of 16 pages pass");
  assertEquals(
    fail.lines.at(-1),
    "[-] Verification FAILED: 2 of 4 pages pass; first failure 0x7f1234577000",
  );
  assertMatch(fail.out, /\[-\] 0x7f1234577000: _PAGE_USER is set in the PTE; PTE 0x\w+67 at 0x\w+/);
  assertMatch(hole.out, /\[!\] 0x7f1234566000-0x7f1234566fff \(1 page\): no page is mapped/);
  assertStringIncludes(usage.err, 'error: Not a length: "much"');
  assertEquals([pass.err, fail.err], ["", ""]); // No progress bar where there is no terminal.
});

Deno.test("verify_range.ts prints JSON and TAP", async () => {
  const range = ["sim:", "0x7f1234575000", "16K"];
  const [json, tap] = await Promise.all([
    run("verify_range", ...range, "--json", "--list", "1"),
    run("verify_range", ...range, "--tap"),
  ]);
  assertEquals([json.code, tap.code], [1, 1]);
  const verdict = JSON.parse(json.out);
  assertEquals([verdict.verdict, verdict.pages, verdict.passed, verdict.failed], ["fail", 4, 2, 2]);
  assertEquals(verdict.failures.map((f: { address: string }) => f.address), ["0x7f1234577000"]);
  assertEquals(tap.lines[0], "TAP version 14");
  assertEquals(tap.lines.slice(1, -1).map((line) => line.split(" - ")[0]), [
    "ok 1",
    "ok 2",
    "not ok 3",
    "not ok 4",
  ]);
  assertEquals(tap.lines.at(-1), "1..4");
});

Deno.test("mappings.ts lists runs, pages, and what a filter leaves", async () => {
  const [text, json, csv, filtered] = await Promise.all([
    run("mappings", "sim:"),
    run("mappings", "sim:", "--json", "--range", "0x7f1234567000-0x7f1234666fff"),
    run("mappings", "sim:", "--csv", "--pages", "--page-size", "2M"),
    run("mappings", "sim:", "--json", "--filter", "kernel,executable"),
  ]);
  assertEquals(text.code, 2); // The simulated guest has a table outside RAM.
  assertStringIncludes(text.out, "outside RAM");
  assertMatch(text.out, /0x00007f1241000000-\S+ +4 KiB +4 KiB -rw- .*leaf urw-, PDE decides user/);

  assertEquals(json.code, 0);
  const runs = json.lines.map((line) => JSON.parse(line));
  assertEquals(runs.map((r) => [r.address, r.lengthBytes, r.leaf.user]), [
    ["0x7f1234567000", 65536, false],
    ["0x7f1234577000", 983040, true],
  ]);
  const rows = csv.lines.slice(1).filter((line) => line.startsWith("mapping")).map((l) =>
    l.split(",")
  );
  assert(rows.length > 10);
  assertEquals(new Set(rows.map((row) => row[4])), new Set(["2097152"]));
  assertEquals(csv.lines[0]!.split(",").length, rows[0]!.length);
  for (const line of filtered.lines) {
    const record = JSON.parse(line);
    if (record.kind !== "mapping") continue;
    assertEquals([record.effective.user, record.effective.executable], [false, true]);
  }
});

Deno.test("mappings.ts refuses what it does not know", async () => {
  const [filter, range] = await Promise.all([
    run("mappings", "sim:", "--filter", "wx"),
    run("mappings", "sim:", "--range", "5"),
  ]);
  assertEquals([filter.code, range.code], [3, 3]);
  assertStringIncludes(filter.err, "the filters are user, kernel, writable");
  assertStringIncludes(range.err, "write 0xFIRST-0xLAST");
});
