import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

Deno.test("what CONTRIBUTING.md names is there", async () => {
  const text = await Deno.readTextFile(new URL(".github/CONTRIBUTING.md", ROOT));
  const named = Array.from(
    text.matchAll(/`((?:src|tests|examples)\/[\w./-]+)`/g),
    ([, path]) => path!,
  );
  assert(named.length > 25, `only ${named.length} paths were seen`);
  const missing: string[] = [];
  for (const path of new Set(named)) {
    if (!await Deno.stat(new URL(path, ROOT)).then(() => true, () => false)) missing.push(path);
  }
  assertEquals(missing, []);
  const rows = text.split("\n").filter((line) => line.startsWith("| ")).length;
  assertEquals(rows, 2 + 12, "a head, a line below it, and twelve changes");
});

Deno.test("CONTRIBUTING.md's commands are tasks", async () => {
  const text = await Deno.readTextFile(new URL(".github/CONTRIBUTING.md", ROOT));
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const named = Array.from(text.matchAll(/deno task ([\w:]+)/g), ([, name]) => name!);
  assert(named.length > 4);
  assertEquals(named.filter((name) => !Object.hasOwn(tasks, name)), []);
});
