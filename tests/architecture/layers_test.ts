import { assert, assertEquals } from "@std/assert";
import { moduleGraph, sourceFiles, sourceGraph } from "./_module_graph.ts";

/** What each folder of `src` may import from besides itself. What is not listed does not exist. */
const MAY_IMPORT: Record<string, string[]> = {
  core: [],
  arch: ["core", "arch/riscv", "arch/x86", "memory", "translate"],
  "arch/riscv": ["core", "arch", "translate"],
  "arch/x86": ["core", "arch", "memory", "translate"],
  // The adapters that read through a monitor are the only part of memory that knows monitors.
  memory: ["core", "monitor"],
  monitor: ["core", "arch", "memory"],
  // What all connectors are made of, and the one table of them. None knows another.
  connectors: [
    "core",
    "arch",
    "memory",
    "monitor",
    "connectors/dump",
    "connectors/gdbstub",
    "connectors/libvirt",
    "connectors/qmp",
    "connectors/replay",
    "connectors/sim",
  ],
  "connectors/dump": ["core", "arch", "memory", "monitor", "connectors"],
  "connectors/gdbstub": ["core", "arch", "memory", "monitor", "connectors"],
  "connectors/libvirt": ["core", "monitor", "connectors"],
  "connectors/qmp": ["core", "monitor", "connectors"],
  "connectors/replay": ["core", "monitor", "connectors"],
  "connectors/sim": ["core", "monitor", "connectors"],
  translate: ["core", "memory"],
  verify: ["core", "memory", "translate"],
  snapshot: ["core", "arch", "iommu", "memory", "translate"],
  audit: ["core", "memory", "translate", "snapshot", "verify"],
  // Which tables translate which device's DMA: no processor is known there.
  iommu: ["core", "memory", "translate"],
  linux: ["core", "arch", "memory", "translate"],
  // Kernels that are known by their ELF file; they fail as Linux does where a process is not there.
  elf: ["core"],
  elf_kernel: ["core", "elf", "linux", "memory", "translate"],
  vfio: ["core", "iommu", "memory", "translate", "verify", "linux"],
  report: [
    "core",
    "arch",
    "memory",
    "translate",
    "snapshot",
    "verify",
    "audit",
    "iommu",
    "linux",
    "elf_kernel",
    "vfio",
  ],
  session: [
    "core",
    "arch",
    "arch/riscv",
    "memory",
    "connectors",
    "monitor",
    "translate",
    "snapshot",
    "verify",
    "audit",
    "iommu",
    "linux",
    "elf_kernel",
  ],
  testing: ["core", "arch", "arch/x86", "memory", "monitor"],
  // The scripts hand on what checking one page takes.
  cli: [
    "core",
    "connectors",
    "connectors/dump",
    "monitor",
    "translate",
    "snapshot",
    "verify",
    "linux",
    "session",
    "report",
    "mod.ts",
  ],
  repl: [
    "core",
    "arch",
    "memory",
    "connectors",
    "monitor",
    "translate",
    "verify",
    "iommu",
    "linux",
    "elf_kernel",
    "report",
    "session",
    "cli",
    "entries",
    "mod.ts",
  ],
  // Whom the package serves besides those who check pages: each names what lies elsewhere.
  entries: [
    "core",
    "arch",
    "audit",
    "connectors",
    "elf",
    "elf_kernel",
    "iommu",
    "linux",
    "monitor",
    "session",
    "translate",
    "vfio",
  ],
  // The one command that runs every script.
  pagewalk: ["core", "connectors", "cli"],
  types: [],
};

/** Folders whose own folders are layers of their own. */
const HOUSES = ["arch", "connectors"];

/** Imports made only when they are used, so that a check of a real guest does not load them. */
const LAZY = ["src/connectors/sim/mod.ts -> testing", "src/repl/"];

function folderOf(path: string): string {
  if (!path.startsWith("src/")) return path;
  const [, folder, inner, ...rest] = path.split("/");
  return HOUSES.includes(folder!) && rest.length > 0 ? `${folder}/${inner}` : folder!;
}

Deno.test("each folder of src imports only from the layers below it", async () => {
  const wrong: string[] = [];
  let checked = 0;
  for (const { path, imports } of await sourceGraph()) {
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
