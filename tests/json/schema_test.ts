/** What each script prints with `--json` is what the published JSON Schema says, by the SDK's names. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect, formatAddress } from "../../mod.ts";
import { mappingRecord, rangeRecord, toJson, verdictRecord } from "../../src/report/mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { COMMANDS } from "../../src/pagewalk/commands.ts";
import { describeCommands } from "../../src/pagewalk/describe.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { LINUX_ROWS } from "./_linux.ts";
import { runPagewalk } from "../pagewalk/_pagewalk.ts";
import { checkLines, checkRecord, describedScripts } from "./_schema.ts";

const { cleared, stillSet, neverTouched } = simulatedGuest().addresses;
const [CLEARED, SET, GONE] = [cleared, stillSet, neverTouched].map(formatAddress) as [
  string,
  string,
  string,
];
const LOG = [
  `<6>[1.0] VFIO: Clearing _PAGE_USER at vaddr ${CLEARED}, old PTE: 0x8000000110080867`,
  `<6>[1.0] VFIO: Clearing _PAGE_USER at vaddr ${GONE}, old PTE: 0x8000000110080867`,
  "<6>[1.0] VFIO: Clearing _PAGE_USER at vaddr 0x7f12, old PTE: 0x80000",
].join("\n");
const OOPS = "BUG: unable to handle page fault for address: 00007f1234567000\n" +
  "#PF: error_code(0x0004) - not-present page\n";

/** A command, how many objects it prints at least, and its standard input. */
const ROWS: readonly (readonly [command: string, least: number, stdin?: string])[] = [
  [`qemu_verify_pte.ts sim: ${CLEARED}`, 1],
  [`qemu_verify_pte.ts sim: ${GONE} --effective`, 1],
  ["qemu_verify_pte.ts sim: 0x800000000000", 1],
  ["qemu_verify_pte.ts sim:riscv64 0x2000 --root 0x87e00000", 1],
  [`qemu_verify_pte.ts sim: ${CLEARED} --sample 50`, 1],
  [`verify_range.ts sim: ${SET} 1M`, 1],
  ["verify_dmesg.ts sim:", 3, LOG],
  [`fleet.ts sim: sim:riscv64 none:x ${CLEARED}`, 3],
  ["mappings.ts sim:", 10],
  ["mappings.ts sim: --pages --not-present --range 0x7f1200000000+4G", 10],
  ["mappings.ts sim: --max-tables 3", 1],
  ["mappings.ts sim:riscv64", 3],
  ["aliases.ts sim: 0x2a0b000", 1],
  ["audit.ts sim:", 3],
  ["oops.ts sim:", 1, OOPS],
];
/** Those whose lines other tests check by the same schema: they need a guest that contradicts itself. */
const ELSEWHERE = ["crosscheck.ts", "diff.ts"];

for (const [command, least, stdin] of ROWS) {
  Deno.test(`${command} --json is what the schema says`, async () => {
    const [script, ...args] = command.split(" ");
    const input = stdin === undefined ? {} : { stdin };
    const { code, stdout, stderr } = await runExample(script!, [...args, "--json"], input);
    const records = checkLines(script!, stdout);
    assert(records.length >= least, `${code} ${stdout}${stderr}`);
    if (least === 1 && !/^(mappings|aliases)/.test(command)) assertEquals(records.length, 1);
  });
}

Deno.test("walks that end early are what the schema says", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using off = fakeMonitor(simulatedGuest({ mode: "none" }));
  const steps = await (async () => {
    await using session = await connect(monitor.endpoint);
    return (await session.walk(CLEARED)).steps;
  })();
  const damage = async (raw: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, raw, true);
    guest.memory.writeBytes(steps.at(-2)!.address, bytes);
    return await outcomeOf(monitor.port);
  };
  assertEquals(await damage(0x2083n), "reservedBits");
  assertEquals(await damage(0xff_f000_0007n), "unreadable");
  assertEquals(await outcomeOf(off.port), "noTables");

  async function outcomeOf(port: number): Promise<string> {
    const args = [`${port}`, CLEARED, "--json"];
    const { stdout, stderr } = await runExample("qemu_verify_pte.ts", args, {
      permissions: netTo(port),
    });
    const [record] = checkLines("qemu_verify_pte.ts", stdout);
    assert(record, stderr);
    return record.outcome;
  }
});

Deno.test("names are those of the SDK", async () => {
  await using guest = await connect("sim:");
  const verdict = await guest.verify(CLEARED);
  const range = await guest.verifyRange(SET, 4096);
  const [mapping] = await Array.fromAsync(
    guest.mappings({ start: cleared, lengthBytes: 4096 }, { pages: true }),
  );
  const { walk } = verdict;
  for (
    const [record, own] of [
      [verdictRecord(verdict, walk.source), { ...walk, ...verdict }],
      [rangeRecord(range, range.source), { ...range, reason: "" }],
      [mappingRecord(mapping!), mapping!],
    ] as [Record<string, unknown>, object][]
  ) assertNamed(record, own);

  /** Each name, also of objects within, is one of the SDK's, and its value says the same. */
  function assertNamed(record: unknown, own: unknown): void {
    if (Array.isArray(record)) {
      return record.forEach((each, i) => assertNamed(each, (own as unknown[])[i]));
    }
    if (typeof record !== "object" || record === null) return assertEquals(record, own);
    for (const [name, value] of Object.entries(record)) {
      assert(name in (own as object), name);
      if (name !== "reason") assertNamed(value, (own as Record<string, unknown>)[name]);
    }
  }
});

Deno.test("quantities are numbers, addresses are text", () => {
  const text = toJson({
    timeNs: 12n,
    sequence: 3n,
    sizeBytes: 4n,
    address: 0x10n,
    raw: 0n,
    pages: 1,
  });
  assertEquals(
    text,
    '{"timeNs":12,"sequence":3,"sizeBytes":4,"address":"0x10","raw":"0x0","pages":1}',
  );
});

Deno.test("pagewalk schema prints it, whole or for one command", async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runPagewalk(["schema", ...args]);
    return { code, stderr, schema: JSON.parse(stdout || "null") };
  };
  const whole = await run();
  assertMatch(whole.schema.$id, /^urn:pagewalk:output:\d+\.\d+$/);
  assertEquals((await run("ps")).schema, { ...whole.schema, $ref: "#/$defs/processes" });
  const none = await run("report");
  assertEquals(none.code, 3);
  assertMatch(none.stderr, /^error: "report" prints no JSON; these do: verify, range, /);
});

Deno.test("no script with --json is left out of the schema or of its tests", async () => {
  const described = await describeCommands();
  const scripts = COMMANDS.flatMap((command, i) =>
    "script" in command && "json" in described[i]!.spec.options ? [command.script] : []
  );
  assert(scripts.length > 15);
  assertEquals(describedScripts(scripts), scripts);
  const tested = [...ROWS, ...LINUX_ROWS].map(([command]) => command.split(" ")[0]!);
  assertEquals([...new Set([...tested, ...ELSEWHERE])].toSorted(), scripts.toSorted());
});

Deno.test("the schema refuses what it does not name", () => {
  const process = { pid: 1, comm: "init", state: "S", root: null, userRoot: null, threadCount: 1 };
  checkRecord("processes", process);
  for (
    const wrong of [
      { ...process, more: 1 },
      { ...process, pid: "1" },
      { ...process, root: 4096 },
      {},
    ]
  ) {
    let refused = false;
    try {
      checkRecord("processes", wrong);
    } catch (error) {
      refused = error instanceof Error && error.message.startsWith("processes: {");
    }
    assert(refused, JSON.stringify(wrong));
  }
});
