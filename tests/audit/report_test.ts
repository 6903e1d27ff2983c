/** What audits look like: text, JSON, SARIF, and the script's exit codes. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { connect } from "../../src/session/connect.ts";
import { SEVERITIES } from "../../src/audit/rules.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { sarifLog } from "../../src/report/sarif.ts";
import { toJson } from "../../src/report/json.ts";

async function run(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...args],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err!, lines: out!.trimEnd().split("\n") };
}

Deno.test("audit.ts prints findings, and exits by their severity", async () => {
  const [text, json, high] = await Promise.all([
    run("examples/audit.ts", "sim:"),
    run("examples/audit.ts", "sim:", "--json", "--show", "medium"),
    run("examples/audit.ts", "sim:", "--range", "0x7f1234567000+64K", "--fail-on", "high"),
  ]);
  assertEquals([text.code, text.err], [1, ""]);
  assertMatch(text.lines.at(-1)!, /^\d+ high, \d+ medium, \d+ low$/);
  assertMatch(
    text.out,
    /high {3}table-outside-ram: 0x7f6000000000 \(1 GiB\): .*PDPT entry 0xd0000067/,
  );
  const records = json.lines.map((line) => JSON.parse(line));
  assert(records.every((r) => ["high", "medium"].includes(r.severity)) && records.length > 1);
  assertEquals(high.code, 0);
  assertMatch(high.out, /low +supervisor-leaf-in-user-range: 0x7f1234567000 \(64 KiB\)/);
});

Deno.test("audit.ts audits a snapshot", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
    const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
    tables.map(0xffff_8880_0000_0000n, 0x9000n, "4K", { writable: true });
    const taken = await snapshot(memory, pagingContext(registersFor(tables)));
    await Deno.writeFile(`${folder}/a.pwsnap`, await encodeSnapshot(taken));
    const { code, lines } = await run(
      `--allow-read=${folder}`,
      "examples/audit.ts",
      `${folder}/a.pwsnap`,
    );
    assertEquals(code, 1);
    assertEquals(lines, [
      "high   writable-executable: 0xffff888000000000 (4 KiB): Kernel pages may be written and " +
      "executed; -rwx WB, physical 0x9000, PT entry 0x9003 at 0x4000",
      "1 high, 0 medium, 0 low",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sarifLog() keeps to SARIF 2.1.0 where code-scanning pages look", async () => {
  await using guest = await connect("sim:");
  const findings = await Array.fromAsync(guest.audit());
  const log = JSON.parse(toJson(sarifLog(findings, { artifact: "sim", version: "1.2.3" })));
  assertEquals([log.version, log.runs.length], ["2.1.0", 1]);
  const [{ tool: { driver }, results }] = log.runs;
  assertEquals([driver.name, driver.version], ["pagewalk", "1.2.3"]);
  assertEquals(results.length, findings.length);
  const ids = driver.rules.map((rule: { id: string }) => rule.id);
  assertEquals(new Set(ids).size, ids.length);
  const fingerprints = new Set();
  for (const [i, result] of results.entries()) {
    assertEquals(driver.rules[result.ruleIndex].id, result.ruleId);
    assert(["error", "warning", "note"].includes(result.level));
    assertEquals(
      SEVERITIES.indexOf(findings[i]!.severity),
      ["error", "warning", "note"].indexOf(result.level),
    );
    assert(result.message.text.length > 0);
    const [{ physicalLocation, logicalLocations }] = result.locations;
    assertEquals(physicalLocation.artifactLocation.uri, "sim");
    assertEquals(physicalLocation.region.startLine, 1);
    assertMatch(logicalLocations[0].fullyQualifiedName, /^0x[0-9a-f]+$/);
    fingerprints.add(result.partialFingerprints["pagewalkFinding/v1"]);
  }
  assertEquals(fingerprints.size, results.length);
  for (const rule of driver.rules) {
    assert(rule.shortDescription.text && rule.help.text);
    assert(["error", "warning", "note"].includes(rule.defaultConfiguration.level));
  }
});
