import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../src/pagewalk/commands.ts";
import { assertClean, HOSTILE_UTF8 } from "../hostile_text/_hostile_text.ts";
import { runExample } from "../examples/_run.ts";
import { runPagewalk } from "./_pagewalk.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("pagewalk --help lists each command with what its script says that it does", async () => {
  const { code, stdout, stderr } = await runPagewalk(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  for (const command of COMMANDS) {
    if (!("script" in command)) continue;
    const folder = command.script === "repl.ts" ? "" : "examples/";
    const text = await Deno.readTextFile(new URL(`${folder}${command.script}`, ROOT));
    const purpose = /^\s+purpose:\s+(["'`])(.+)\1,$/m.exec(text)?.[2];
    assert(purpose, `${command.script} has no purpose`);
    const line = stdout.split("\n").find((line) => line.trim().startsWith(`${command.name} `));
    assertEquals(line?.trim().replace(/\s+/, "  "), `${command.name}  ${purpose}`);
  }
  assertEquals((await runPagewalk(["help"])).stdout, stdout);
});

Deno.test("pagewalk without a command shows the same, as an error", async () => {
  const { code, stdout, stderr } = await runPagewalk([]);
  assertEquals([code, stdout], [3, ""]);
  assertMatch(stderr, /^Usage: pagewalk <command>/m);
});

Deno.test("pagewalk verify --help is the script's help, called as it was", async () => {
  const script = await runExample("qemu_verify_pte.ts", ["--help"]);
  const command = await runPagewalk(["verify", "--help"]);
  const net = "--allow-net=127.0.0.1:1334";
  const expected = script.stdout.trimEnd()
    .replaceAll(`deno run ${net} qemu_verify_pte.ts`, "pagewalk verify")
    .replaceAll("deno run qemu_verify_pte.ts", "pagewalk verify");
  assertEquals(
    command.stdout.trimEnd(),
    `${expected}\n\nPermissions, given to deno install or deno run: ${net}`,
  );
  assertEquals((await runPagewalk(["help", "verify"])).stdout, command.stdout);
});

Deno.test("pagewalk runs a script with its output and exit code", async () => {
  for (const page of ["0x7f1234567000", "0x7f1234577000", "0x100000000000"]) {
    const script = await runExample("qemu_verify_pte.ts", ["sim:", page, "--json"]);
    assertEquals(await runPagewalk(["verify", "sim:", page, "--json"]), script);
  }
  const { code, stderr } = await runPagewalk(["verify", "sim:", "0x1000", "--jsn"]);
  assertEquals(code, 3);
  assertMatch(stderr, /did you mean --json\?/);
  assertMatch(stderr, /^Try: pagewalk verify --help$/m);
});

Deno.test("pagewalk: a missing permission is named, and where it comes from", async () => {
  const { code, stderr } = await runPagewalk(["verify", "1334", "0x1000"]);
  assertEquals(code, 3);
  assertStringIncludes(stderr, "--allow-net=127.0.0.1:1334");
  assertMatch(stderr, /repeat deno install with this flag/);
});

Deno.test("pagewalk: an unknown command is told what was meant", async () => {
  const meant: Record<string, string> = {
    vefiry: "did you mean verify?",
    "verify_range.ts": "did you mean range?",
    processes: "did you mean ps?",
    "1334": "Did you mean pagewalk verify 1334 0x1000?",
    "unix:/run/x": "Did you mean pagewalk verify unix:/run/x 0x1000?",
  };
  for (const [typed, hint] of Object.entries(meant)) {
    const { code, stdout, stderr } = await runPagewalk([typed, "0x1000"]);
    assertEquals([code, stdout], [3, ""]);
    assertStringIncludes(stderr, hint);
  }
  const { stderr } = await runPagewalk([HOSTILE_UTF8, HOSTILE_UTF8]);
  assertMatch(stderr, /^error: Unknown command/);
  assertClean(stderr.trimEnd(), "an unknown command", 2);
});

Deno.test("pagewalk --version is that of the package", async () => {
  const { stdout } = await runPagewalk(["--version"]);
  assertEquals(stdout, `pagewalk ${config.version} (deno ${Deno.version.deno})\n`);
});
