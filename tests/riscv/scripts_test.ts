/** The scripts on a RISC-V guest: in its own words, with what each privilege may do. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { NoTablesError, riscvRegime, riscvSecondStage, walk } from "../../mod.ts";
import { xv6Tables, xv6WalkText } from "../../src/report/mod.ts";
import {
  ramRange,
  RiscvPageTables,
  simulatedRiscvGuest,
  SparseMemory,
} from "../../src/testing/mod.ts";
import { runExample } from "../examples/_run.ts";

/** Words of x86 that mean nothing on a RISC-V machine. */
const X86_WORDS = /\b(?:CR[034]|EFER|PML[45]E?|PDPTE?|PDE|NX|XD|SMAP|SMEP|PKRU|MAXPHYADDR|CPL)\b/;

async function run(script: string, ...args: readonly string[]): Promise<[number, string]> {
  const { code, stdout, stderr } = await runExample(script, args, { permissions: ["-A"] });
  assert(!X86_WORDS.test(stdout + stderr), `${script}: ${X86_WORDS.exec(stdout + stderr)}`);
  return [code, stdout];
}

Deno.test("qemu_verify_pte_simple.ts walks RISC-V's tables by hand", async () => {
  const [code, text] = await run("qemu_verify_pte_simple.ts", "sim:riscv64", "0x2000");
  assertEquals(code, 0);
  for (
    const line of [
      " satp     8000000000087e00",
      "satp = 0x87e00000, Sv39 paging",
      "L2 index = (0x2000 >> 30) & 0x1ff = 0",
      "L0 PTE address = 0x87e02000 + 2 * 8",
      "0x21fd2007 & 0x10 = 0x0",
      "_PAGE_USER is cleared (kernel page)",
    ]
  ) assertStringIncludes(text, `${line}\n`);
  const open = await run("qemu_verify_pte_simple.ts", "sim:riscv64", "0x1000");
  assertEquals(open[0], 1);
  const [unknown, said] = await run("qemu_verify_pte_simple.ts", "sim:riscv64", "0x7f1234567000");
  assertEquals(unknown, 2);
  assertStringIncludes(said, "0x7f1234567000 is no address of Sv39 paging");
});

Deno.test("results say what each privilege may do", async () => {
  const [code, text] = await run("qemu_verify_pte.ts", "sim:riscv64", "0x2000", "--json");
  assertEquals(code, 0);
  assertEquals(JSON.parse(text).privileges, { U: "---", S: "rw-", "S+SUM": "rw-" });
  const [, listed] = await run("mappings.ts", "sim:riscv64", "--json");
  const [first] = listed.split("\n").map((line) => JSON.parse(line || "null"));
  assertEquals([first.address, first.leaf.user, first.leaf.executable], ["0x0", true, true]);
  assertEquals(first.privileges, { U: "r-x", S: "---", "S+SUM": "r--" });
});

Deno.test("SUM and MXR widen what the supervisor may do, and a second stage knows no privileges", () => {
  const { rights } = riscvRegime("Sv39", 0n).rules;
  const page = (user: boolean, letters: string) =>
    rights.byPrivilege!({
      ...{ user, readable: letters.includes("r"), writable: letters.includes("w") },
      executable: letters.includes("x"),
    });
  assertEquals(page(true, "x"), {
    ...{ U: "--x", "U+MXR": "r-x", S: "---", "S+SUM": "---", "S+SUM+MXR": "r--" },
  });
  assertEquals(page(false, "x"), {
    ...{ U: "---", S: "--x", "S+MXR": "r-x", "S+SUM": "--x", "S+SUM+MXR": "r-x" },
  });
  assertEquals(page(true, "rwx"), { U: "rwx", S: "---", "S+SUM": "rw-" });
  assertEquals(riscvSecondStage("Sv39", 0n).rules.rights.byPrivilege, undefined);
});

Deno.test("tables are printed as xv6's course does with --style xv6", async () => {
  const [code, text] = await run("mappings.ts", "sim:riscv64", "--style", "xv6");
  assertEquals(code, 0);
  const lines = text.trimEnd().split("\n");
  assertEquals(lines[0], "page table 0x0000000087e00000");
  assert(lines.includes(" .. .. ..2: pte 0x0000000021fd2007 pa 0x0000000087f48000"));
  for (const line of lines.slice(1)) {
    assertMatch(line, /^( \.\.){1,3}\d+: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]{16}$/);
  }
  const [, walk] = await run("qemu_verify_pte.ts", "sim:riscv64", "0x2000", "--style", "xv6");
  assertStringIncludes(walk, " ..0: pte 0x0000000021f80401 pa 0x0000000087e01000\n .. ..0: pte");
});

Deno.test("--style xv6 takes a range, and refuses what would be left out of it", async () => {
  const args = ["mappings.ts", "sim:riscv64", "--style", "xv6"] as const;
  const [, whole] = await run(...args);
  const [, part] = await run(...args, "--range", "0x2000+4K");
  const lines = part.trimEnd().split("\n");
  assertEquals(lines.map((line) => line.split(":")[0]), [
    ...["page table 0x0000000087e00000", " ..0", " .. ..0", " .. .. ..2"],
  ]);
  for (const line of lines) assert(whole.includes(`${line}\n`), line);
  for (const other of ["--json", "--filter=user", "--pages"]) {
    const { code, stderr } = await runExample(args[0], [...args.slice(1), other], {
      permissions: ["-A"],
    });
    assertEquals(code, 3);
    assertStringIncludes(stderr, `it excludes ${other.split("=")[0]}`);
  }
});

Deno.test("tables that lead to themselves, or nowhere, are listed to an end that is said", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
  const { root } = new RiscvPageTables("Sv39", memory, 0x8010_0000n);
  const word = (raw: bigint) => new Uint8Array(new BigUint64Array([raw]).buffer);
  const itself = root >> 12n << 10n | 1n;
  for (let i = 0; i < 512; i++) memory.writeBytes(root + BigInt(8 * i), word(itself));
  const loop = xv6Tables(memory, riscvRegime("Sv39", root), { maxTables: 3 });
  const lines: string[] = [];
  let end = await loop.next();
  for (; !end.done; end = await loop.next()) lines.push(end.value);
  assertEquals([end.value, lines.at(-1)], [false, "… more tables: the listing ended at its limit"]);
  // The root, one of its tables, and one of that one's.
  assertEquals(lines.length, 1 + 3 * 512 + 1);
  memory.writeBytes(root, word(0x4000_0000n >> 12n << 10n | 1n));
  const range = { start: 0n, lengthBytes: 4096 };
  const away = xv6Tables(memory, riscvRegime("Sv39", root), { range });
  assertEquals((await away.next()).value, "page table 0x0000000080100000");
  assertMatch(String((await away.next()).value), /^ \.\.0: pte/);
  assertEquals((await away.next()).value, " .. ..: 0x40000000 cannot be read");
  assertEquals(await away.next(), { done: true, value: false });
});

Deno.test("tables that are not this guest's are not printed in xv6's form either", async () => {
  const { memory } = simulatedRiscvGuest();
  const noTables = { kind: "nested", reason: "V=1" } as const;
  const regime = { ...riscvRegime("Sv39", 0x8000_0000n), noTables };
  assertEquals(xv6WalkText(await walk(memory, regime, 0x1000n)), "no page table: V=1");
  await assertRejects(() => Array.fromAsync(xv6Tables(memory, regime)), NoTablesError, "V=1");
});

Deno.test("audit, range, snapshot and diff speak of RISC-V", async () => {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-riscv-scripts-" });
  try {
    const file = `${folder}/a.pwsnap`;
    assertEquals((await run("audit.ts", "sim:riscv64"))[0], 0);
    assertEquals((await run("verify_range.ts", "sim:riscv64", "0x1000", "0x3000"))[0], 1);
    assertEquals((await run("snapshot.ts", "sim:riscv64", file))[0], 0);
    const [, same] = await run("diff.ts", file, "sim:riscv64");
    assertStringIncludes(same, "0 appeared, 0 vanished, 0 changed");
    const record = `${folder}/a.pwrec`;
    const [, told] = await run("qemu_verify_pte.ts", "sim:riscv64", "0x2000", "--record", record);
    const [, again] = await run("qemu_verify_pte.ts", `replay:${record}`, "0x2000");
    assertEquals(again.split("\n").slice(1), told.split("\n").slice(1));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
