import { assertEquals, assertStringIncludes } from "@std/assert";
import { toScript } from "../../src/repl/evaluate/script.ts";
import { commandContext } from "../../src/repl/load.ts";
import { runCommandLine } from "../../src/repl/commands.ts";
import { testPrompt } from "./_prompt.ts";

async function scriptOf(...lines: string[]): Promise<string[] | undefined> {
  await using prompt = testPrompt();
  for (const line of lines) await prompt.enter(line);
  return toScript(prompt.repl.evaluator.done)?.text.split("\n");
}

/** What is entered, and what is written: undefined for what only a prompt can do. */
const LINES: readonly (readonly [entered: readonly string[], written: string[] | undefined])[] = [
  [["walk(0xffffffff81000000)"], ["print(await walk(0xffffffff81000000n));"]],
  [["const w = walk(1)", "w.outcome"], ["const w = await walk(1);", "print(w.outcome);"]],
  [["const w = await walk(1)"], ["const w = await walk(1);"]],
  [["walk(1).outcome.length"], ["print((await walk(1)).outcome.length);"]],
  [["[1, 2].map((va) => translate(va))"], undefined],
  [["[1, 2].map(translate)"], undefined],
  [["const f = (va) => walk(va).outcome", "f(1)"], undefined],
  [["1 << 40"], undefined],
  [["[1, 2].map((n) => Math.max(n, 1))"], ["print([1, 2].map((n) => Math.max(n, 1)));"]],
  [["let a = 0xffffffff81000000", "a += 8", "a - 1"], [
    "let a = 0xffffffff81000000n;",
    "print(a += 8n);",
    "print(a - 1n);",
  ]],
  [["const n = 3", "0xffffffff81000000 + n"], [
    "const n = 3;",
    "print(0xffffffff81000000n + BigInt(n));",
  ]],
  [["1 + 2"], ["print(1 + 2);"]],
  [["const a = 1", "const a = 2"], ["var a = 1;", "var a = 2;"]],
  [["x = 1", "x = 2"], ["var x = 1;", "print(x = 2);"]],
  [["function f() { return 1 }", "function f() { return 2 }", "f()"], [
    "var f = function f() { return 1 }",
    "var f = function f() { return 2 }",
    "print(f());",
  ]],
  [["cpus().length", "_ + 1"], [
    "let _;",
    "print(_ = (await cpus()).length);",
    "print(_ = _ + 1);",
  ]],
  [["for (const w of [walk(1)]) w"], ["for await (const w of [(await walk(1))]) w;"]],
  [["missing", "1 // one"], ["print(1); // one"]],
  [['import { join } from "node:path"', 'import { join } from "node:path"'], [
    'import { join } from "node:path"',
    "",
  ]],
];

for (const [entered, written] of LINES) {
  Deno.test(`.save writes ${entered.join(" ⏎ ")}`, async () => {
    assertEquals(await scriptOf(...entered), written);
  });
}

const SCRIPTS: readonly (readonly [string, readonly string[]])[] = [
  ["of its own", [
    "const w = walk(0x7f1241000000)",
    "w.effective.user",
    "root(0x5000000)",
    "walk(0x7f1234567000).outcome",
    "missing",
    "root(null)",
    "formatAddress(w.steps[2].raw + 8)",
    "for (const a of [0x7f1234567000, 0x7f1234577000]) print(verify(a).verdict)",
  ]],
  ["of its own", [
    "[parseOops, formatDeviceId, registerConnector, toSvg, verifyVfio].map(({ name }) => name)",
    "pagewalk.formatAddress(0x1000)",
    "[pagewalk.parseOops, pagewalk.formatDeviceId, pagewalk.toSvg].map(({ name }) => name)",
    "pagewalk.ARCHITECTURES.length",
  ]],
  ["that replays the lines", [
    "const two = [0x7f1241000000, 0x7f1234567000].map((va) => walk(va).outcome)",
    "two.join('\\n')",
    "missing",
    "(0x7f1234567000 >> 39) & 0x1ff",
  ]],
];

for (const [kind, lines] of SCRIPTS) {
  Deno.test(`.save writes a script ${kind}, which runs, and which .load runs too: ${lines[0]}`, async () => {
    await using prompt = testPrompt();
    let printed = "";
    for (const line of lines) {
      const text = await prompt.enter(line);
      if (line !== "missing") printed += text;
    }
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      const signal = new AbortController().signal;
      const context = commandContext(prompt.repl, { signal: () => signal, leave: () => {} });
      assertStringIncludes(await runCommandLine(`.save ${file}`, context), file);
      const text = await Deno.readTextFile(file);
      assertEquals(text.includes("await replay("), kind !== "of its own");
      const script = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--config", "deno.json", file],
        stdout: "piped",
        stderr: "piped",
      }).output();
      const decoder = new TextDecoder();
      assertEquals(decoder.decode(script.stderr), "");
      assertEquals(decoder.decode(script.stdout), printed);

      await using again = testPrompt();
      const loaded = commandContext(again.repl, { signal: () => signal, leave: () => {} });
      await runCommandLine(`.load ${file}`, loaded);
      assertEquals(again.printed, printed);
    } finally {
      await Deno.remove(file);
    }
  });
}

Deno.test("the prompt's commands say what is wrong", async () => {
  await using prompt = testPrompt();
  const signal = new AbortController().signal;
  let left = false;
  const context = commandContext(prompt.repl, { signal: () => signal, leave: () => left = true });
  const refusal = (line: string) =>
    runCommandLine(line, context).then(() => "", (error) => String(error));
  assertStringIncludes(await refusal(".nothing"), "there are .help, .exit, .save, .load");
  assertStringIncludes(await refusal(".load"), "Missing file");
  assertStringIncludes(await runCommandLine(".help", context), ".save [FILE]");
  assertStringIncludes(await runCommandLine(".save", context), "replHelpers(session)");
  await runCommandLine(".exit", context);
  assertEquals(left, true);
});
