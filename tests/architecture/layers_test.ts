import { assert, assertEquals } from "@std/assert";
import { moduleGraph, sourceFiles } from "./_module_graph.ts";

/** What each folder of `src` may import from besides itself. What is not listed does not exist. */
const MAY_IMPORT: Record<string, string[]> = {
  core: [],
  cpu: ["core"],
  // The adapters that read through a monitor are the only part of memory that knows monitors.
  memory: ["core", "monitor"],
  monitor: ["core", "cpu", "memory"],
  dump: ["core", "cpu", "memory", "monitor"],
  gdbstub: ["core", "cpu", "memory", "monitor"],
  libvirt: ["core", "monitor"],
  paging: ["core", "cpu", "memory"],
  verify: ["core", "cpu", "memory", "paging"],
  snapshot: ["core", "cpu", "memory", "paging"],
  audit: ["core", "cpu", "memory", "paging", "snapshot", "verify"],
  linux: ["core", "cpu", "memory", "paging"],
  report: ["core", "cpu", "memory", "paging", "snapshot", "verify", "audit", "linux"],
  session: [
    "core",
    "cpu",
    "memory",
    "dump",
    "monitor",
    "gdbstub",
    "libvirt",
    "paging",
    "snapshot",
    "verify",
    "audit",
    "linux",
  ],
  testing: ["core", "cpu", "memory", "monitor"],
  // The scripts hand on what checking one page takes.
  cli: [
    "core",
    "cpu",
    "dump",
    "monitor",
    "paging",
    "snapshot",
    "verify",
    "linux",
    "session",
    "report",
    "mod.ts",
  ],
  repl: [
    "core",
    "cpu",
    "memory",
    "monitor",
    "paging",
    "verify",
    "linux",
    "report",
    "session",
    "cli",
    "mod.ts",
  ],
  types: [],
};

/** Imports made only when they are used, so that a check of a real guest does not load them. */
const LAZY = ["src/session/connect.ts -> testing", "src/repl/"];

function folderOf(path: string): string {
  return path.startsWith("src/") ? path.split("/")[1]! : path;
}

Deno.test("each folder of src imports only from the layers below it", async () => {
  const modules = new Map<string, Awaited<ReturnType<typeof moduleGraph>>[number]>();
  for (const path of sourceFiles("src")) {
    for (const module of await moduleGraph(path)) modules.set(module.path, module);
  }
  const wrong: string[] = [];
  let checked = 0;
  for (const { path, imports } of modules.values()) {
    if (!path.startsWith("src/")) continue;
    const from = folderOf(path);
    assert(from in MAY_IMPORT, `src/${from} is not in the table of layers`);
    for (const imported of imports) {
      if (!imported.path.startsWith("src/") && imported.path !== "mod.ts") continue;
      checked++;
      const to = folderOf(imported.path);
      if (to === from || MAY_IMPORT[from]!.includes(to)) continue;
      if (imported.dynamic && LAZY.some((allowed) => `${path} -> ${to}`.startsWith(allowed))) {
        continue;
      }
      wrong.push(`${path} imports ${imported.path}`);
    }
  }
  assertEquals(wrong, []);
  assert(checked > 100, `only ${checked} imports were seen`);
});

Deno.test("only the memory adapters know monitors, and the interface does not", async () => {
  const modules = await moduleGraph("src/memory/physical_memory.ts");
  assertEquals(modules.filter(({ path }) => path.startsWith("src/monitor/")), []);
});

Deno.test("mod.ts reaches no third-party module", async () => {
  const modules = await moduleGraph("mod.ts");
  const reached = new Set<string>();
  const walk = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    const module = modules.find((candidate) => candidate.path === path);
    for (const imported of module?.imports ?? []) if (!imported.dynamic) walk(imported.path);
  };
  walk("mod.ts");
  assert(reached.size > 20);
  assertEquals([...reached].filter((path) => /^(npm|jsr|https?|node):/.test(path)), []);
});

Deno.test("one file of the SDK opens sockets", async () => {
  const callers: string[] = [];
  for (const path of sourceFiles("src")) {
    if (path.startsWith("src/testing/")) continue;
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    if (/\bDeno\.connect(Tls)?\(/.test(text)) callers.push(path);
  }
  assertEquals(callers, ["src/monitor/socket_transport.ts"]);
});
