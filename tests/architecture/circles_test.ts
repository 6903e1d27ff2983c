import { assert, assertEquals } from "@std/assert";
import { sourceGraph } from "./_module_graph.ts";

Deno.test("no module imports itself by way of others, not even for a type", async () => {
  const imports = new Map<string, string[]>();
  for (const { path, imports: imported } of await sourceGraph()) {
    imports.set(path, imported.filter(({ dynamic }) => !dynamic).map(({ path }) => path));
  }
  assert(imports.size > 200, `only ${imports.size} modules were seen`);

  const circles: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string): void => {
    const from = way.indexOf(path);
    if (from >= 0) circles.push([...way.slice(from), path].join(" -> "));
    if (from >= 0 || done.has(path)) return;
    way.push(path);
    for (const next of imports.get(path) ?? []) if (next.startsWith("src/")) visit(next);
    way.pop();
    done.add(path);
  };
  for (const path of imports.keys()) visit(path);
  assertEquals(circles, []);
});
