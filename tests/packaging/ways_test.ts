import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { COMMANDS } from "../../src/pagewalk/commands.ts";
import { runExample } from "../examples/_run.ts";
import { packCommand } from "../tasks/pack.ts";
import { type CleanFolder, cleanFolder } from "./_clean_folder.ts";
import { registryWith } from "./_registry.ts";

const PAGE = "0x7f1234567000";
const NET = "--allow-net=127.0.0.1";
const VERSION = `pagewalk ${config.version} (deno ${Deno.version.deno})\n`;

const folder = await Deno.makeTempDir({ prefix: "pagewalk-packed-" });
const ARCHIVE = `${folder}/package.tgz`;

/** Runs the command as it was installed: on a monitor, on a part that is loaded late, and without a permission. */
async function tryInstalled(clean: CleanFolder, pagewalk = `${clean.bin}/pagewalk`): Promise<void> {
  const run = (...args: string[]) => clean.run(pagewalk, args);
  assertEquals(await run("--version"), { code: 0, stdout: VERSION, stderr: "" });
  await using monitor = fakeMonitor(simulatedGuest());
  const verified = await run("verify", `${monitor.port}`, PAGE);
  assertEquals([verified.code, verified.stderr], [0, ""]);
  assertMatch(verified.stdout, /^\[\+\] Verification PASSED/m);
  const range = await run("range", "sim:", PAGE, "128K");
  assertEquals([range.code, range.stderr], [1, ""]);
  assertMatch(range.stdout, /16 of 32 pages pass/);
  const refused = await run("snapshot", "sim:", "out.pwsnap");
  assertEquals(refused.code, 3);
  assertMatch(refused.stderr, /--allow-write/);
  const outside = await run("verify", "192.0.2.1:1334", PAGE);
  assertMatch(outside.stderr, /--allow-net=192\.0\.2\.1:1334/);
}

Deno.test("packaging: the archive is made, with no test in it", async () => {
  await packCommand(ARCHIVE, false);
  await new Deno.Command("tar", { args: ["xzf", ARCHIVE, "-C", folder] }).output();
  const names: string[] = [];
  const list = async (path: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${folder}/${path}`)) {
      if (isDirectory) await list(`${path}/${name}`);
      else names.push(`${path}/${name}`.slice("package/".length));
    }
  };
  await list("package");
  assert(names.includes("mod.js") && names.includes("README.md") && names.includes("LICENSE"));
  assertEquals(names.filter((name) => /(?:^|\/)tests?\/|_test\.|^\./.test(name)), []);
  const top = new Set(names.map((name) => name.split("/")[0]));
  assertEquals([...top].filter((name) => name === "examples" || name === "repl.js"), []);
  const manifest = await manifestOf();
  assertEquals([manifest.name, manifest.version], [config.name, config.version]);
  assertEquals(Object.keys(manifest.exports), Object.keys(config.exports));
});

Deno.test("packaging: a class is in one of the command's files only", async () => {
  const [core, rest] = await Promise.all(
    ["core", "rest"].map((name) => Deno.readTextFile(`${folder}/package/lib/${name}.js`)),
  );
  const classes = (text: string) =>
    [...text.matchAll(/static\{\s*\w+\(this,\s*"(\w+)"\)/g)].map(([, name]) => name!);
  const [inCore, inRest] = [classes(core!), classes(rest!)];
  assert(inCore.includes("PagewalkError") && inRest.length > 20, "classes have their names");
  const errors = [...inCore, ...inRest].filter((name) => name.endsWith("Error"));
  assertEquals(errors.filter((name, i) => errors.indexOf(name) < i), []);
  // Modules of Node cost each start half as much again as an empty run.
  for (const text of [core!, rest!]) assertEquals(/(?:from|import)\s*"node:/.test(text), false);
  // A module that is loaded late is a function, whose code no start finds in Deno's cache.
  const lateModule = /=>\(\w+&&\(\w+=\w+\(\w+=0\)\),\w+\)/;
  assertEquals([core!, rest!].map((text) => lateModule.test(text)), [false, true]);
});

Deno.test("packaging: the bundled command is the scripts", async () => {
  await using clean = await cleanFolder();
  const pagewalk = `${folder}/package/lib/pagewalk.js`;
  const help = await clean.run("deno", ["run", pagewalk, "--help"]);
  assertEquals([help.code, help.stderr], [0, ""]);
  for (const { name } of COMMANDS) assertMatch(help.stdout, new RegExp(`^  ${name} `, "m"));
  for (
    const [name, script, args] of [
      ["verify", "qemu_verify_pte.ts", ["sim:", PAGE, "--json"]],
      ["mappings", "mappings.ts", ["sim:", "--range", `${PAGE}+64K`]],
      ["repl", "../repl.ts", ["sim:", "--eval", `walk(${PAGE})`]],
      ["verify", "qemu_verify_pte.ts", ["sim:", "nonsense"]],
    ] as const
  ) {
    const expected = await runExample(script, args);
    const { code, stdout, stderr } = await clean.run("deno", ["run", pagewalk, name, ...args]);
    assertEquals([code, stdout], [expected.code, expected.stdout]);
    assertEquals(stderr.replace(`pagewalk ${name}`, script), expected.stderr);
  }
});

Deno.test("packaging: a check finds the code of most that it calls in Deno's cache", async () => {
  await using clean = await cleanFolder();
  const log = `${clean.path}/v8.log`;
  const flags = `--v8-flags=--log-function-events,--logfile=${log},--no-logfile-per-isolate`;
  const file = `${folder}/package/lib/pagewalk.js`;
  const compiled: string[][] = [];
  // The first run fills the cache.
  for (let run = 0; run < 2; run++) {
    await clean.run("deno", ["run", flags, file, "verify", "sim:", PAGE]);
    const events = (await Deno.readTextFile(log)).split("\n").map((line) => line.split(","));
    const core = events.find(([event, , url]) => {
      return event === "script-details" && url?.endsWith("/lib/core.js");
    });
    compiled.push(
      events.filter(([, event, script]) => event === "parse-function" && script === core?.[1])
        .map(([, , , , , , , name]) => name!),
    );
  }
  assert(compiled[1]!.includes("walk"), "methods are compiled when they are called");
  // Without withEagerFunctions() there are three times as many.
  assert(compiled[1]!.length < 130, compiled[1]!.join(" "));
});

Deno.test("packaging: the bundled command draws its progress bar on a terminal", async () => {
  await using clean = await cleanFolder();
  // Work that ends within half a second needs no bar.
  await using monitor = fakeMonitor(simulatedGuest(), { delayMs: 100 });
  const { port } = monitor;
  const line = `deno run --allow-net=127.0.0.1:${port} ${folder}/package/lib/pagewalk.js ` +
    `range ${port} ${PAGE} 1M`;
  const { code, stdout } = await clean.run("script", ["-qec", line, "/dev/null"]);
  assertMatch(stdout, /Verification FAILED: 16 of 256 pages pass/);
  assertMatch(stdout, /[█░]/);
  assertEquals([code, /error/.test(stdout)], [1, false]);
});

Deno.test("packaging: deno install -g from the archive", async () => {
  await using clean = await cleanFolder("", []);
  await clean.run("tar", ["xzf", ARCHIVE]);
  const file = "package/lib/pagewalk.js";
  const { code, stderr } = await clean.run("deno", ["install", "-g", NET, "-n", "pagewalk", file]);
  assertEquals(code, 0, stderr);
  // All that it runs is in the archive.
  assertEquals(/Download/.test(stderr), false, stderr);
  await tryInstalled(clean);
});

Deno.test("packaging: deno install -g from a checkout", async () => {
  await using clean = await cleanFolder();
  const root = new URL("../../", import.meta.url).pathname;
  const { code, stderr } = await clean.run("deno", [
    ...["install", "-g", "--config", `${root}deno.json`, NET, "-n", "pagewalk"],
    `${root}src/pagewalk/main.ts`,
  ]);
  assertEquals(code, 0, stderr);
  await tryInstalled(clean);
});

Deno.test("packaging: the npm package, installed and run by deno x", async () => {
  await using registry = registryWith(await Deno.readFile(ARCHIVE), await manifestOf());
  await using clean = await cleanFolder(registry.npmrc);
  const name = `npm:${config.name}`;
  const once = await clean.run("deno", ["x", "-y", NET, name, "verify", "sim:", PAGE]);
  assertEquals(once.code, 0, once.stderr);
  assertMatch(once.stdout, /^\[\+\] Verification PASSED/m);
  const { code, stderr } = await clean.run("deno", ["install", "-g", NET, name]);
  assertEquals(code, 0, stderr);
  await tryInstalled(clean);
});

Deno.test("packaging: the npm package's modules, in a script", async () => {
  await using registry = registryWith(await Deno.readFile(ARCHIVE), await manifestOf());
  await using clean = await cleanFolder(registry.npmrc);
  await Deno.writeTextFile(
    `${clean.path}/own.ts`,
    `import { connect } from "npm:${config.name}";
import { toJson } from "npm:${config.name}/report";
import { simulatedGuest } from "npm:${config.name}/testing";
await using guest = await connect("sim:");
const { verdict } = await guest.verify(simulatedGuest().addresses.cleared, { user: false });
console.log(toJson({ verdict }));
`,
  );
  const { code, stdout, stderr } = await clean.run("deno", ["run", "own.ts"]);
  assertEquals([code, stdout], [0, '{"verdict":"pass"}\n'], stderr);
});

Deno.test("packaging: what JSR would get, without tests", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, said);
  const root = new URL("../../", import.meta.url).href;
  const files = [...said.matchAll(/file:\S+/g)].map(([url]) => url.slice(root.length));
  for (const file of ["mod.ts", "src/pagewalk/main.ts", "examples/qemu_verify_pte.ts", "LICENSE"]) {
    assert(files.includes(file), `${file} is missing`);
  }
  assertEquals(files.filter((file) => /^(?:tests|\.)/.test(file)), []);
});

// deno-lint-ignore no-explicit-any -- the file of another program
async function manifestOf(): Promise<any> {
  return JSON.parse(await Deno.readTextFile(`${folder}/package/package.json`));
}

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
