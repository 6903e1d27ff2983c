/**
 * `deno task test`: has what the tests need, runs them all, and ends with one line that counts them.
 * Arguments are passed on to `deno test`, so that one file can be run alone.
 */
import { install, missingPackages } from "./packages.ts";

const missing = await install(missingPackages());
if (missing.length > 0) {
  console.log(`Without ${missing.join(" ")} the tests that need them are skipped.`);
  if (Deno.env.get("CI") === "true") {
    console.error("With CI=true nothing may be skipped for a missing package.");
    Deno.exit(1);
  }
}

const ALL = ["--doc", "mod.ts", "repl.ts", "src", "tests", "README.md"];
const targets = Deno.args.length > 0 ? Deno.args : ALL;
const child = new Deno.Command(Deno.execPath(), {
  args: ["test", "--no-prompt", "--allow-all", "--trace-leaks", ...targets],
  stdout: "piped",
}).spawn();

let tail = "";
const decoder = new TextDecoder();
for await (const chunk of child.stdout) {
  await Deno.stdout.write(chunk);
  tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
}
const { code } = await child.status;

// Deno's own last line: "ok | 123 passed (4 steps) | 0 failed | 2 ignored (10s)".
// deno-lint-ignore no-control-regex
const plain = tail.replaceAll(/\x1b\[[0-9;]*m/g, "");
const count = (word: string) =>
  Number(plain.match(new RegExp(`(\\d+) ${word}\\b(?![^]*\\d+ ${word}\\b)`))?.[1] ?? 0);
const skipped = count("ignored");
const summary = `${count("passed")} passed, ${count("failed")} failed`;
console.log(skipped > 0 ? `${summary}, ${skipped} skipped` : summary);
Deno.exit(code);
