import { assertEquals } from "@std/assert";
import { Evaluator } from "../../src/repl/evaluate/evaluator.ts";
import { EntryReader } from "../../src/repl/entry.ts";
import { Programs } from "./_programs.ts";

const never = new AbortController().signal;
const COUNT = Number(Deno.env.get("PAGEWALK_PROGRAMS") ?? 40);

/** What a program prints, and how it ends. */
type Outcome = readonly string[];

async function atPrompt(source: string): Promise<Outcome> {
  const printed: string[] = [];
  const prompt = new Evaluator({ print: (...values: unknown[]) => printed.push(values.join(" ")) });
  try {
    const parsed = prompt.parse(source);
    if (parsed.kind === "incomplete") throw parsed.error;
    await prompt.run(parsed, never);
  } catch (error) {
    printed.push(`throws ${(error as Error).name}`);
  }
  return printed;
}

/** The same, a line after the other, as the lines of a paste arrive. */
async function lineByLine(source: string): Promise<Outcome> {
  const printed: string[] = [];
  const prompt = new Evaluator({ print: (...values: unknown[]) => printed.push(values.join(" ")) });
  const entries = new EntryReader({
    parse: (text) => prompt.parse(text),
    knows: (name) => prompt.knows(name),
  });
  const lines = source.split("\n");
  try {
    for (const [i, line] of lines.entries()) {
      const entry = entries.take(line, lines[i + 1]);
      if (entry.kind === "code") await prompt.run(entry.parsed, never);
    }
    if (entries.text !== "") throw new SyntaxError("Unexpected end");
  } catch (error) {
    printed.push(`throws ${(error as Error).name}`);
  }
  return printed;
}

async function asModule(source: string): Promise<Outcome> {
  const printed: string[] = [];
  const key = `print${Math.random()}`;
  Reflect.set(globalThis, key, (...values: unknown[]) => printed.push(values.join(" ")));
  const module = `const print = globalThis[${JSON.stringify(key)}];\n${source}\nexport {};\n`;
  try {
    await import(`data:text/javascript,${encodeURIComponent(module)}`);
  } catch (error) {
    printed.push(`throws ${(error as Error).name}`);
  } finally {
    Reflect.deleteProperty(globalThis, key);
  }
  return printed;
}

Deno.test(`${COUNT} random programs do when pasted what they do as modules, with and without semicolons`, async () => {
  for (let seed = 1; seed <= COUNT; seed++) {
    const written = new Programs(seed * 7919).next(true);
    const bare = new Programs(seed * 7919).next(false);
    const expected = await asModule(written);
    assertEquals(await atPrompt(written), expected, `seed ${seed}\n${written}`);
    assertEquals(await atPrompt(bare), expected, `seed ${seed}\n${bare}`);
    assertEquals(await lineByLine(bare), expected, `seed ${seed}, line by line\n${bare}`);
  }
});

Deno.test("programs with all that the language has do when pasted what they do as modules", async () => {
  const file = new URL("../fixtures/repl/programs.txt", import.meta.url);
  for (const source of (await Deno.readTextFile(file)).split("\n---\n")) {
    const expected = await asModule(source);
    assertEquals(await atPrompt(source), expected, source);
    assertEquals(await lineByLine(source), expected, `line by line: ${source}`);
  }
});

Deno.test("lines that begin as no statement does belong to the line before", async () => {
  const pasted = [
    "const all = [1, 2, 3]",
    "  .map((x) => x * 2)",
    "  .filter((x) =>",
    "    x > 2)",
    "if (all.length > 5)",
    "  print('many')",
    "else if (all.length > 1)",
    "  print('some')",
    "else",
    "  print('few')",
    "try {",
    "  missing",
    "}",
    "catch (error) {",
    "  print(error.name)",
    "}",
    "finally {",
    "  print('done')",
    "}",
    "const kind = all.length === 2",
    "  ? 'two'",
    "  : 'other'",
    "print(kind",
    "  , `a",
    "b`)",
    "/* a comment",
    "   goes on */ print(true",
    "  && 5)",
    "",
    "// the end",
  ].join("\n");
  const expected = ["some", "ReferenceError", "done", "two a\nb", "5"];
  assertEquals(await asModule(pasted), expected);
  assertEquals(await lineByLine(pasted), expected);
});
