/** snapshot.ts and diff.ts as users run them. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkLines } from "../json/_schema.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

const PAGE = 0x7f12_3456_7000n;

async function run(folder: string, script: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", `--allow-read=${folder}`, `--allow-write=${folder}`],
      ...[`examples/${script}.ts`, ...args],
    ],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err!, lines: out!.trimEnd().split("\n") };
}

Deno.test("diff.ts says which bits flipped between two files, or a file and a guest", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
    const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
    const save = async (name: string) => {
      const taken = await snapshot(memory, pagingContext(registersFor(tables)));
      await Deno.writeFile(`${folder}/${name}.pwsnap`, await encodeSnapshot(taken));
    };
    tables.map(PAGE, 0x9000n, "4K", { user: true });
    await save("before");
    tables.setRights(PAGE, 1, { user: false });
    tables.map(PAGE + 0x1000n, 0xa000n, "4K", { user: true });
    await save("after");

    const [before, after] = [`${folder}/before.pwsnap`, `${folder}/after.pwsnap`];
    const text = await run(folder, "diff", before, after);
    assertEquals([text.code, text.err], [1, ""]);
    const sides = text.lines.slice(0, 2).map((line) =>
      /^\[\+\] (\w+: root 0x\w+) /.exec(line)?.[1]
    );
    assertEquals(sides, ["before: root 0x1000", "after: root 0x1000"]);
    assertEquals(text.lines.slice(2), [
      "~ 0x00007f1234567000   4 KiB PTE 0x9005 -> 0x9001: _PAGE_USER 1 -> 0",
      "+ 0x00007f1234568000   4 KiB PTE 0xa005",
      "1 appeared, 0 vanished, 1 changed",
    ]);
    const json = await run(folder, "diff", before, after, "--json");
    const [changed] = checkLines("diff.ts", json.lines.map((line) => `${line}\n`).join(""));
    assertEquals([changed.kind, changed.flipped, changed.fields[0].linuxName], [
      "changed",
      "0x4",
      "_PAGE_USER",
    ]);
    assertEquals((await run(folder, "diff", before, before)).code, 0);

    const saved = await run(folder, "snapshot", "sim:", `${folder}/sim.pwsnap`);
    assertEquals([saved.code, saved.err], [0, ""]);
    assertMatch(saved.out, /sim\.pwsnap: \d+ tables/);
    const live = await run(folder, "diff", `${folder}/sim.pwsnap`, "sim:");
    assertEquals([live.code, live.lines.slice(2)], [0, ["0 appeared, 0 vanished, 0 changed"]]);

    const few = await run(folder, "snapshot", "sim:", `${folder}/part.pwsnap`, "--max-tables", "3");
    assertEquals(few.code, 2, few.err);
    assertMatch(few.out, /part\.pwsnap: 3 tables/);

    const missing = await run(folder, "diff", `${folder}/nowhere.pwsnap`, "sim:");
    assertEquals(missing.code, 3);
    assertMatch(missing.err, /^error: Cannot read \S+nowhere\.pwsnap: there is no such file$/m);
    const elsewhere = await run(folder, "audit", "/etc/any.pwsnap");
    assertMatch(elsewhere.err, /^error: Cannot read \S+: run deno with --allow-read=\/etc\/any/);
    await Deno.writeTextFile(`${folder}/no.pwsnap`, "hello");
    const none = await run(folder, "diff", `${folder}/no.pwsnap`, "sim:");
    assertEquals(none.code, 3);
    assertStringIncludes(none.err, "error: Not a snapshot");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
