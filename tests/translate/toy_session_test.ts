/** A guest of the toy architecture behind a toy connector: a session of it does all that one of x86 does. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  connect,
  decodeSnapshot,
  encodeSnapshot,
  InvalidArgumentError,
  NoTablesError,
  SnapshotError,
} from "../../mod.ts";
import {
  ARCHITECTURES,
  type Connector,
  type GuestSource,
  registerArchitecture,
  registerConnector,
} from "../../src/entries/extend.ts";
import { parseRegisters } from "../../src/monitor/commands/registers.ts";
import { cpusText, summarise } from "../../src/repl/helpers/cpus.ts";
import { registersText } from "../../src/repl/show/registers_text.ts";
import { renderKnown } from "../../src/repl/show/renderers.ts";
import {
  differenceLine,
  findingLine,
  mappingLine,
  PLAIN,
  verificationText,
} from "../../src/report/mod.ts";
import { ramRange, SparseMemory } from "../../src/testing/mod.ts";
import { describeSource } from "../../src/session/table_choice.ts";
import { TOY, TOY_ARCHITECTURE, type ToyRegisters } from "./_toy_architecture.ts";

const PAGE = 0x53000n;
const { valid, page, user, write, run } = TOY;
/** A vCPU that translates, and one that does not. */
const BRICKS: readonly ToyRegisters[] = [
  { architecture: "toy", cpu: 0, troot: 0x1021n, at: 0x53124n },
  { architecture: "toy", cpu: 1, troot: 0x1020n, at: 0x10n },
];

/** Index 1, 2 and 3 of the three levels. */
function world(): SparseMemory {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x10_0000n)] });
  memory.writeU32(0x1020n + 4n, 0x2000n | valid | user);
  memory.writeU32(0x2000n + 8n, 0x3000n | valid | run);
  memory.writeU32(0x3000n + 12n, 0x7000n | valid | page | write);
  return memory;
}

function toyGuest(memory: SparseMemory): Connector<{ scheme: "bricks" }> {
  return {
    name: "bricks",
    usage: "bricks:",
    schemes: { bricks: () => ({ scheme: "bricks" }) },
    describe: () => "bricks:",
    permissions: () => [],
    open: () =>
      Promise.resolve<GuestSource>({
        endpoint: "bricks:",
        qemuVersion: "",
        cpus: {
          registers: (cpu = 0) => Promise.resolve(BRICKS[cpu]!),
          allRegisters: () => Promise.resolve([...BRICKS]),
        },
        memory,
        close: () => Promise.resolve(),
      }),
  };
}

Deno.test("a session of a toy architecture walks, lists, verifies, audits, diffs and prints", async () => {
  const memory = world();
  using _architecture = registerArchitecture(TOY_ARCHITECTURE);
  using _connector = registerConnector(toyGuest(memory));
  await using guest = await connect("bricks:", { mode: "toy" });

  const found = await guest.walk(PAGE + 0x123n);
  assert(found.outcome === "mapped");
  assertEquals([found.mode, found.physicalAddress], ["toy", 0x7123n]);
  assertEquals(await guest.translate(PAGE), 0x7000n);
  await assertRejects(() => guest.translate(PAGE, { cpu: 1 }), NoTablesError, "does not translate");
  assertEquals((await guest.walk(PAGE, { root: 0x1020n })).outcome, "mapped");
  assertEquals((await guest.access(PAGE, { write: true })).outcome, "ok");
  assertEquals((await guest.access(0n, { write: true })).outcome, "pageFault");

  const runs = await Array.fromAsync(guest.mappings());
  const { context, source } = await guest.pageTable({});
  assertEquals(runs.map((each) => mappingLine(each, context).trimEnd()), [
    "0x00053000-0x00053fff     4 KiB  4 KiB urwx   cached 0x00007000",
  ]);
  assertEquals((await Array.fromAsync(guest.aliases(0x7040n))).map(({ address }) => address), [
    0x53040n,
  ]);

  const verdict = await guest.verify(PAGE, { user: false });
  assertEquals(verdict.verdict, "pass");
  const text = verificationText(verdict, { source: describeSource(source) });
  assertEquals(text.split("\n")[0], "[+] TROOT (Page Table Base): 0x1020 (vCPU 0)");
  assertEquals((await guest.verifyRange(PAGE, 0x1000)).verdict, "pass");
  const findings = await Array.fromAsync(guest.audit());
  assertEquals(findings.map((each) => findingLine(each, PLAIN).split(":")[0]), [
    "medium writable-executable",
  ]);

  const before = await guest.snapshot();
  memory.writeU32(0x300cn, 0x7000n | valid | page | user);
  const { diff } = await import("../../mod.ts");
  const changes = await Array.fromAsync(diff(before, { memory, context }));
  assertEquals(changes.map((change) => differenceLine(change, context)), [
    "~ 0x00053000   4 KiB Twig slot 0x700b -> 0x7007: TOY_USER 0 -> 1, M 1 -> 0",
  ]);
  const again = await decodeSnapshot(await encodeSnapshot(before));
  assertEquals(again.context.mode, "toy");
});

Deno.test("the prompt shows a toy's registers and vCPUs", () => {
  using _ = registerArchitecture(TOY_ARCHITECTURE);
  const { names } = TOY_ARCHITECTURE;
  const shown = "brick 0: builds\nTROOT  0x1021    ON\nAT     0x5_3124";
  assertEquals(registersText(BRICKS[0]!, names, PLAIN), shown);
  assertEquals(renderKnown(BRICKS[0]!, PLAIN), shown);
  assertEquals(
    cpusText(summarise(BRICKS), names, PLAIN).split("\n").map((line) => line.trimEnd()),
    [
      "brick  state       mode  root    TROOT   AT        same root",
      "    0  running     toy   0x1020  0x1021  0x5_3124",
      "    1  paging off  toy   0x1020  0x1020  0x10",
    ],
  );
  assertEquals(parseRegisters<ToyRegisters>("TROOT=1021 AT=53124\n")[0]?.troot, 0x1021n);
});

Deno.test("an architecture is unknown before it is told and after it is called off", async () => {
  const before = ARCHITECTURES.length;
  const memory = world();
  using _connector = registerConnector(toyGuest(memory));
  await assertRejects(() => connect("bricks:", { mode: "toy" }), InvalidArgumentError, "mode");
  let file: Uint8Array<ArrayBuffer>;
  {
    using _ = registerArchitecture(TOY_ARCHITECTURE);
    assertThrows(() => registerArchitecture(TOY_ARCHITECTURE), InvalidArgumentError, '"toy"');
    await using guest = await connect("bricks:");
    file = await encodeSnapshot(await guest.snapshot());
  }
  assertEquals(ARCHITECTURES.length, before);
  await assertRejects(() => decodeSnapshot(file), SnapshotError, '"toy"');
});
