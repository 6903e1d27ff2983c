import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../src/pagewalk/commands.ts";
import { runPagewalk } from "./_pagewalk.ts";

const folder = await Deno.makeTempDir({ prefix: "pagewalk-completions-" });
const NAMES = COMMANDS.map(({ name }) => name);

/** Saves a shell's script, and says whether the shell is here. */
async function prepare(shell: string): Promise<boolean> {
  const { code, stdout, stderr } = await runPagewalk(["completions", shell]);
  assertEquals([code, stderr], [0, ""]);
  await Deno.writeTextFile(`${folder}/${shell}`, stdout);
  const found = await run("sh", ["-c", `command -v ${shell}`]);
  if (found.length === 0) console.log(`skipped: ${shell} is not here (apt-get install ${shell})`);
  return found.length > 0;
}

async function run(program: string, args: readonly string[], stdin = ""): Promise<string[]> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { HOME: folder, TERM: "dumb" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

/** What bash offers for words typed, of which the last is being completed. */
async function bash(...words: string[]): Promise<string[]> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  return await run(
    "bash",
    ["--norc"],
    [
      `source ./bash`,
      `complete -p pagewalk > /dev/null`,
      `COMP_WORDS=(pagewalk ${quoted}); COMP_CWORD=${words.length}; _pagewalk`,
      `printf '%s\\n' "\${COMPREPLY[@]}"`,
    ].join("\n"),
  );
}

/** The options that a command's help shows. */
async function optionsOf(command: string): Promise<string[]> {
  const { stdout } = await runPagewalk([command, "--help"]);
  return [...stdout.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, option]) => option!);
}

Deno.test("pagewalk completions bash offers commands, options, words and files", async () => {
  if (!await prepare("bash")) return;
  assertEquals((await bash("")).toSorted(), [...NAMES, "help", "--help", "--version"].toSorted());
  assertEquals(await bash("ver"), NAMES.filter((name) => name.startsWith("ver")));
  for (const command of ["verify", "iommu", "repl"]) {
    assertEquals(await bash(command, "1334", "--"), await optionsOf(command));
  }
  assertEquals(await bash("verify", "1334", "--expect", ""), ["cleared", "set"]);
  assertEquals(await bash("verify", "1334", "--expect", "=", "s"), ["set"]);
  assertEquals(await bash("verify", "1334", "--pid", ""), []);
  assertEquals(await bash("verify", "1334", "--ram", "/"), []);
  assertEquals(await bash("completions", "f"), ["fish"]);
  assertEquals((await bash("help", "")).toSorted(), NAMES.toSorted());
  assertEquals(await bash("nonsense", "--"), []);
});

Deno.test("pagewalk completions zsh completes what is typed", async () => {
  if (!await prepare("zsh")) return;
  const typed: Record<string, string> = {
    "pagewalk ran": "range",
    "pagewalk verify --eff": "verify --effective",
    "pagewalk verify --expect=cl": "verify --expect=cleared",
    "pagewalk completions fi": "completions fish",
  };
  const driver = `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -Uz compinit; compinit -D -u; source ./zsh
pagewalk() { print -r -- "RAN:$*:" }; print READ""Y'
until zpty -r shell line && [[ $line == *READY* ]]; do :; done
for typed in ${Object.keys(typed).map((line) => `'${line}'`).join(" ")}; do
  zpty -w -n shell "$typed"$'\\t\\n'
  until zpty -r shell line && [[ $line == *RAN:* ]]; do :; done
  print -r -- "\${\${line#*RAN:}%:*}"
done
zpty -d shell`;
  assertEquals(await run("zsh", ["-f", "-c", driver]), Object.values(typed));
});

Deno.test("pagewalk completions fish offers commands, options and words", async () => {
  if (!await prepare("fish")) return;
  const fish = async (line: string) => {
    const offered = await run("fish", ["-N", "-c", `source ./fish; complete -C '${line}'`]);
    return offered.map((each) => each.split("\t")[0]!);
  };
  assertEquals((await fish("pagewalk ")).toSorted(), [...NAMES, "help"].toSorted());
  assertEquals(await fish("pagewalk verify --expect "), ["cleared", "set"]);
  assertEquals((await fish("pagewalk iommu --")).toSorted(), (await optionsOf("iommu")).toSorted());
});

Deno.test("pagewalk completions: a shell that it does not know", async () => {
  const { code, stdout, stderr } = await runPagewalk(["completions", "toString"]);
  assertEquals([code, stdout], [3, ""]);
  assertMatch(stderr, /the shells are bash, zsh, fish/);
});

Deno.test("pagewalk man is a manual page without a warning, and has every command and option", async () => {
  const { code, stdout, stderr } = await runPagewalk(["man"]);
  assertEquals([code, stderr], [0, ""]);
  for (const name of NAMES) {
    assert(stdout.includes(`\n.SS ${name.replaceAll("-", "\\-")}\n`), `${name} is missing`);
  }
  for (const option of [...await optionsOf("verify"), ...await optionsOf("iommu")]) {
    if (option === "--help") continue;
    assert(stdout.includes(`\\fB${option.replaceAll("-", "\\-")}`), `${option} is missing`);
  }
  await Deno.writeTextFile(`${folder}/pagewalk.1`, stdout);
  if ((await run("sh", ["-c", "command -v groff"])).length === 0) {
    console.log("skipped: groff is not here (apt-get install groff-base)");
    return;
  }
  const page = await run("groff", ["-ww", "-man", "-Tutf8", "-P-cbu", "pagewalk.1"]);
  const plain = page.join("\n");
  assertMatch(plain, /pagewalk verify <monitor> <virtual_address> \[options\]/);
  assertMatch(plain, /pagewalk verify 1334 0x7f1234567000 --comm target/);
});

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
