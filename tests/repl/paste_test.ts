import { assertEquals } from "@std/assert";
import { Evaluator } from "../../src/repl/evaluate/evaluator.ts";
import { Programs } from "./_programs.ts";

const never = new AbortController().signal;
const COUNT = 100;

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
  }
});

Deno.test("programs with all that the language has do when pasted what they do as modules", async () => {
  const file = new URL("../fixtures/repl/programs.txt", import.meta.url);
  for (const source of (await Deno.readTextFile(file)).split("\n---\n")) {
    assertEquals(await atPrompt(source), await asModule(source), source);
  }
});
