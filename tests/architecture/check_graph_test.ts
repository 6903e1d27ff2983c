import { assert, assertEquals } from "@std/assert";
import { type Module, moduleGraph } from "./_module_graph.ts";

/** What a check of one page does not use: the module that would bring it is named. */
const NOT_ON_A_CHECK = [
  /^src\/audit\//,
  /^src\/snapshot\//,
  /^src\/repl\//,
  /^src\/session\/(?:connect|session|ranges|watch|fleet|crosscheck)\.ts$/,
  /^src\/testing\/(?:mod|qemu_process)\.ts$/,
  /^src\/testing\/bare_guest\//,
  /^src\/cli\/(?:mod|progress|line_writer|text_input|snapshot_input)\.ts$/,
  // What a Session's linux() adds to the processes and their tables.
  /^src\/linux\/(?:linux_guest|log|printk_ring|memory_areas|area_pages|vfio_\w+)\.ts$/,
];

const CHECK = "examples/qemu_verify_pte.ts";
/** What the check imports once its arguments are read. */
const CONNECTING = ["src/session/connect_parts.ts"];
/** What `sim:` imports besides. */
const SIMULATED = ["src/connectors/table.ts", "src/testing/simulated_guest.ts"];
/** What the REPL imports before it runs a line. */
const PROMPT = ["src/repl/repl.ts", "src/repl/load.ts", "src/repl/batch.ts"];

// Deno reads every module of a graph, about 0.05 ms each; one that runs takes 0.15 ms more. Think before
// one of these bounds grows.
Deno.test("a check of one page loads nothing that it has no use for", async () => {
  const modules = await moduleGraph(CHECK);
  const read = closure(modules, [CHECK], () => true);
  assert(read.has(CONNECTING[0]!), "the graph is not read");
  assertEquals([...read].filter((path) => NOT_ON_A_CHECK.some((part) => part.test(path))), []);
  assertAtMost(read, 247);
  assertAtMost(closure(modules, [CHECK, ...CONNECTING], isStatic), 93);
  assertAtMost(closure(modules, [CHECK, ...CONNECTING, ...SIMULATED], isStatic), 137);
});

Deno.test("the REPL loads the SDK only where a line names something of it", async () => {
  const modules = await moduleGraph("repl.ts");
  assertAtMost(closure(modules, ["repl.ts"], () => true), 557);
  const prompt = closure(modules, ["repl.ts", ...PROMPT], isStatic);
  assert(prompt.has("src/repl/helpers/mod.ts"), "the graph is not read");
  assert(!prompt.has("mod.ts"));
  // The rules of access come with their architecture.
  assertAtMost(prompt, 216);
});

type Import = Module["imports"][number];

/** The modules that some bring, types left out. */
function closure(
  modules: readonly Module[],
  from: readonly string[],
  follows: (each: Import) => boolean,
): Set<string> {
  const imports = new Map(modules.map((module) => [module.path, module.imports]));
  const found = new Set(from);
  for (const path of found) {
    for (const each of imports.get(path) ?? []) {
      if (!each.typeOnly && follows(each)) found.add(each.path);
    }
  }
  return found;
}

function isStatic({ dynamic }: Import): boolean {
  return !dynamic;
}

function assertAtMost(found: ReadonlySet<string>, most: number): void {
  assert(found.size <= most, `${found.size} modules where ${most} were enough`);
}
