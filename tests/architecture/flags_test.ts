import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./_module_graph.ts";

/** An option of a script, in a text; virsh has its own. */
const FLAG = /["'`: ]--[a-z][a-z-]+(?![.(\w])/;

Deno.test("results are written without the flags of a command line: the prompt and the SDK show them too", async () => {
  const named: string[] = [];
  let lines = 0;
  for (const path of sourceFiles("src")) {
    if (!/^src\/(report|connectors\/dump)\//.test(path) || path.endsWith("_bundle.ts")) continue;
    for (const line of (await Deno.readTextFile(path)).split("\n")) {
      lines++;
      const isComment = /^\s*(\/?\*|\/\/)/.test(line);
      if (!isComment && FLAG.test(line) && !line.includes("virsh")) {
        named.push(`${path}: ${line.trim()}`);
      }
    }
  }
  assert(lines > 1000, `only ${lines} lines were read`);
  assertEquals(named, []);
});
