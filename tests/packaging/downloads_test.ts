import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { cleanFolder } from "./_clean_folder.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;
const BAR = [
  "cli-progress",
  "string-width",
  "strip-ansi",
  "ansi-regex",
  "is-fullwidth-code-point",
  "emoji-regex",
];

/** The packages that scripts may take; a prompt takes acorn as well, and tests take fast-check. */
const NEEDED: Record<string, { packages: readonly string[]; args: readonly string[] }> = {
  "qemu_verify_pte.ts": { packages: ["deno-std"], args: ["sim:", "0x7f1234567000"] },
  "monitor.ts": { packages: ["deno-std", ...BAR], args: ["sim:", "info status"] },
  "verify_range.ts": { packages: ["deno-std", ...BAR], args: ["sim:", "0x7f1234567000", "16K"] },
};

for (const [script, { packages, args }] of Object.entries(NEEDED)) {
  Deno.test(`packaging: ${script} downloads only what it runs`, async () => {
    // Whatever else it asked for would be an error.
    await using clean = await cleanFolder("", packages);
    const run = await clean.run("deno", ["run", "--cached-only", `${EXAMPLES}${script}`, ...args]);
    assertEquals([run.code, run.stderr], [0, ""]);
    assert(run.stdout !== "");
    // That this would be noticed: without its package it does not run.
    await using bare = await cleanFolder("", packages.slice(1));
    const fails = await bare.run("deno", ["run", "--cached-only", `${EXAMPLES}${script}`, ...args]);
    assertMatch(fails.stderr, /deno-std/);
  });
}

Deno.test("packaging: versions of npm packages are exact, as no lock file has them", () => {
  for (const [name, specifier] of Object.entries(config.imports)) {
    assertMatch(specifier, /^npm:[\w-]+@\d+\.\d+\.\d+(?:\/|$)/, name);
  }
});
