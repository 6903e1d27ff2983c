import { assert, assertEquals } from "@std/assert";
import { moduleGraph } from "./_module_graph.ts";

/** What a check of one page does not use: the module that would bring it is named. */
const NOT_ON_A_CHECK = [
  /^src\/audit\//,
  /^src\/snapshot\//,
  /^src\/repl\//,
  /^src\/session\/(?:connect|session|ranges|watch|fleet|crosscheck)\.ts$/,
  /^src\/testing\/(?:mod|qemu_process)\.ts$/,
  /^src\/testing\/bare_guest\//,
  /^src\/cli\/(?:mod|progress|line_writer|text_input|snapshot_input)\.ts$/,
];

Deno.test("a check of one page loads nothing that it has no use for", async () => {
  const modules = new Map(
    (await moduleGraph("examples/qemu_verify_pte.ts")).map((module) => [module.path, module]),
  );
  // Deno loads what an import() names at the start, too; types it does not.
  const loaded = new Set(["examples/qemu_verify_pte.ts"]);
  for (const path of loaded) {
    for (const { path: imported, typeOnly } of modules.get(path)?.imports ?? []) {
      if (!typeOnly) loaded.add(imported);
    }
  }
  assert(loaded.has("src/session/connect_for_check.ts"), "the graph is not read");
  const wrong = [...loaded].filter((path) => NOT_ON_A_CHECK.some((part) => part.test(path)));
  assertEquals(wrong, []);
  // Each costs a check 0.1 ms and more: think before this grows.
  assert(loaded.size <= 291, `${loaded.size} modules`);
});
