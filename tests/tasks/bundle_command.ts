import { type Module, moduleGraph, sourceFiles } from "../architecture/_module_graph.ts";
import { calledFunctions } from "./called_functions.ts";
import { withEagerFunctions } from "./eager_functions.ts";

const ROOT = new URL("../../", import.meta.url);

/** What one check of a page over the human monitor runs: all of it goes into the core. */
export const CORE_ENTRIES: readonly string[] = [
  "src/pagewalk/main.ts",
  "examples/qemu_verify_pte.ts",
  "src/session/connect_parts.ts",
];

/** The names under which the two files know each other, until they have some. */
const [CORE, REST] = ["pagewalk-core", "pagewalk-rest"];

/** What a module that runs when it is imported becomes: a function that is called instead. */
const RUN = "run";

/** With this first line deno x runs it in its own process, with the permissions that it was given. */
const ENTRY = `#!/usr/bin/env node
if (typeof Deno === "undefined") {
  console.error("error: pagewalk runs on Deno: deno x npm:@pagewalk/pagewalk");
  process.exitCode = 3;
} else {
  const { start } = await import("./core.js");
  await start();
}
`;

/** Gives a dynamic import of the other file: `load` is exported by both. */
const LAZY = `export const lazy = async (id) => (await import("${REST}")).load(id);`;

/**
 * Bundles the command: `pagewalk.js`, which starts it, `core.js` with all that a check of one page runs, and
 * `rest.js`, which is loaded when something else is called for. A module lies in one of them only, so each
 * class is there once. Nothing else is needed to run it.
 *
 * @param out the folder to write to, as a path
 */
export async function bundleCommand(out: string): Promise<void> {
  const tree = await Deno.makeTempDir({ prefix: "pagewalk-bundle-" });
  try {
    const graph = new Map((await moduleGraph("src/pagewalk/main.ts")).map((m) => [m.path, m]));
    const core = staticClosure(graph, CORE_ENTRIES);
    await copySources(tree, graph);
    const exported = new Map<string, string[]>();
    for (const path of core) {
      exported.set(path, runs(path) ? [] : Object.keys(await import(new URL(path, ROOT).href)));
    }
    const names = new Map([...core].map((path, i) => [path, `m${i}_`]));

    await rewrite(tree, graph, (path) => core.has(path));
    await Deno.writeTextFile(`${tree}/_lazy.ts`, LAZY);
    await Deno.writeTextFile(
      `${tree}/_core.ts`,
      [
        `export { ${RUN} as start } from "./${CORE_ENTRIES[0]}";`,
        ...[...exported].flatMap(([path, list]) =>
          list.map((name) => `export { ${name} as ${names.get(path)}${name} } from "./${path}";`)
        ),
      ].join("\n"),
    );
    const coreText = await bundle(tree, "_core.ts");

    // In the rest, what lies in the core is handed on from there.
    for (const [path, list] of exported) {
      const shim = list.map((name) => `${names.get(path)}${name} as ${name}`).join(", ");
      await Deno.writeTextFile(`${tree}/${path}`, `export { ${shim} } from "${CORE}";`);
    }
    const lazies = [...graph.values()].flatMap(({ imports }) =>
      imports.filter(({ dynamic, path }) => dynamic && graph.has(path) && !core.has(path))
        .map(({ path }) => path)
    );
    const rows = [...new Set(lazies)].map((path) =>
      `${JSON.stringify(path)}: () => import(${JSON.stringify(specifierOf(path))})`
    );
    await Deno.writeTextFile(
      `${tree}/_rest.ts`,
      `const modules = { ${rows.join(",\n")} };\nexport const load = (id) => modules[id]();`,
    );
    const restText = withoutNodeImports(await bundle(tree, "_rest.ts"));

    await Deno.mkdir(out, { recursive: true });
    const files = { "core.js": named(coreText), "rest.js": named(restText) };
    await Deno.writeTextFile(`${out}/pagewalk.js`, ENTRY);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${out}/${name}`, text);
    }
    const called = await calledFunctions(`${out}/pagewalk.js`);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${out}/${name}`, withEagerFunctions(text, called.get(name)!));
    }
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

/** What modules import without waiting for a use: all that runs when they are loaded. */
function staticClosure(
  graph: ReadonlyMap<string, Module>,
  entries: readonly string[],
): Set<string> {
  const reached = new Set(entries);
  for (const path of reached) {
    for (const { path: imported, dynamic, typeOnly } of graph.get(path)?.imports ?? []) {
      if (!dynamic && !typeOnly && /^(?:src|examples)\//.test(imported)) reached.add(imported);
    }
  }
  return reached;
}

async function copySources(tree: string, graph: ReadonlyMap<string, Module>): Promise<void> {
  const files = [...sourceFiles("src"), ...sourceFiles("examples"), "mod.ts", "repl.ts"];
  const data = [...graph.keys()].filter((path) => /^src\/.*\.json$/.test(path));
  for (const path of [...files, ...data, "deno.json"]) {
    await Deno.mkdir(`${tree}/${path}`.replace(/\/[^/]+$/, ""), { recursive: true });
    await Deno.copyFile(new URL(path, ROOT), `${tree}/${path}`);
  }
}

/**
 * Has modules of the core ask the rest for what they load when they need it, and not the other way. What they
 * load from the core becomes a plain import: a bundle wraps each module that is loaded late in a function, and
 * Deno's code cache keeps the code of no function.
 */
async function rewrite(
  tree: string,
  graph: ReadonlyMap<string, Module>,
  inCore: (path: string) => boolean,
): Promise<void> {
  for (const { path, imports } of graph.values()) {
    if (!/^(?:src|examples|repl\.ts)/.test(path) || !path.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(`${tree}/${path}`);
    const up = "../".repeat(path.split("/").length - 1) || "./";
    const loaded = new Map<string, string>();
    let changed = text.replaceAll(
      /import\.meta\.resolve\("(?:\.\.?\/)+(?:report\/)?mod\.ts"\)/g,
      (call) => resolved(call, path),
    );
    if (inCore(path)) {
      changed = changed.replaceAll(
        /(?<!typeof )(?<!\* .*)\bimport\(\s*"(\.[^"]+)"\s*,?\s*\)/g,
        (call, specifier: string) => {
          const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
          const known = imports.some((each) => each.dynamic && each.path === target);
          if (!known) return call;
          if (!inCore(target)) return `lazy(${JSON.stringify(target)})`;
          const name = `loaded${loaded.size}_`;
          loaded.set(specifier, name);
          return runs(target) ? `${name}.${RUN}()` : `Promise.resolve(${name})`;
        },
      );
      if (runs(path)) changed = asFunction(changed);
    }
    if (changed === text) continue;
    const head = [...loaded].map(([specifier, name]) =>
      `import * as ${name} from "${specifier}";\n`
    );
    if (changed.includes("lazy(")) head.push(`import { lazy } from "${up}_lazy.ts";\n`);
    await Deno.writeTextFile(`${tree}/${path}`, head.join("") + changed);
  }
}

/** Whether it is the command itself or a script, which runs when it is imported, and exports nothing. */
function runs(path: string): boolean {
  return path.startsWith("examples/") || path === CORE_ENTRIES[0];
}

/** Makes what a module does when it is imported a function of it. */
function asFunction(text: string): string {
  const head = /^(?:\/\*[^]*?\*\/\s*)?(?:import\b[^;]*;\s*)*/.exec(text)![0];
  return `${head}export async function ${RUN}() {\n${text.slice(head.length)}}\n`;
}

/** A path that the REPL writes into the scripts it saves: from `lib/` in the package. */
function resolved(call: string, from: string): string {
  const specifier = /"(.+)"/.exec(call)![1]!;
  const target = new URL(specifier, `file:///${from}`).pathname.slice(1);
  return `import.meta.resolve(${JSON.stringify(`../${target.replace(/\.ts$/, ".js")}`)})`;
}

function specifierOf(path: string): string {
  return /^(?:src|examples)\/|\.(?:ts|json)$/.test(path) ? `./${path}` : path;
}

async function bundle(tree: string, entry: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--no-check",
      "--minify",
      "--keep-names",
      `--external=${CORE}`,
      `--external=${REST}`,
      entry,
    ],
    cwd: tree,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/**
 * Takes modules of Node when they are used. An import of them, wherever it stands, is made when the file is
 * loaded: half as much again as an empty run costs, for the prompt and the progress bar alone.
 * Sources import them as a whole (`* as`), so that this can be done.
 */
function withoutNodeImports(text: string): string {
  const builtin = (name: string) => `process.getBuiltinModule("${name}")`;
  const changed = text.replaceAll(
    /import\s*\*\s*as ([\w$]+)\s*from\s*"(node:[\w/]+)";?/g,
    (_, name, module) => `const ${name}=new Proxy({},{get:(_,key)=>${builtin(module)}[key]});`,
  );
  // What CommonJS packages call: they take modules of Node alone, as the others are in the bundle.
  return `const require=(id)=>process.getBuiltinModule(id);${changed}`;
}

function named(text: string): string {
  return text.replaceAll(`"${CORE}"`, `"./core.js"`).replaceAll(`"${REST}"`, `"./rest.js"`);
}

if (import.meta.main) await bundleCommand(Deno.args[0] ?? "lib");
