import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HELPERS } from "../../src/repl/helpers/mod.ts";
import { testPrompt } from "./_prompt.ts";

/** One input of a transcript, what it prints, and whether Ctrl-C ends it. */
interface Exchange {
  input: string;
  output: string[];
  interrupted: boolean;
}

function exchanges(transcript: string): Exchange[] {
  const all: Exchange[] = [];
  for (const line of transcript.trim().split("\n")) {
    const last = all.at(-1);
    if (line.startsWith("> ")) all.push({ input: line.slice(2), output: [], interrupted: false });
    else if (line === "^C") last!.interrupted = true;
    else last!.output.push(line);
  }
  return all;
}

/** An expected text as a pattern: `…` on a line of its own stands for lines, within one for characters. */
function pattern(lines: readonly string[]): RegExp {
  const escaped = lines.map((line) => `${RegExp.escape(line)}\n`).join("");
  const ellipsis = RegExp.escape("…");
  const source = escaped
    .replaceAll(new RegExp(`(?<=^|\n)${ellipsis}\n`, "g"), () => "(?:.*\n)*")
    .replaceAll(ellipsis, () => ".*");
  return new RegExp(`^${source}$`);
}

for (const helper of HELPERS) {
  Deno.test(`help("${helper.name}") shows what happens`, async () => {
    await using prompt = testPrompt();
    const steps = exchanges(helper.example);
    assert(steps.length > 0);
    for (const { input, output, interrupted } of steps) {
      assertStringIncludes(steps.map((step) => step.input).join("\n"), helper.name);
      const running = prompt.enter(input);
      if (interrupted) {
        while (!pattern(output).test(prompt.printed)) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        prompt.interrupt();
      }
      const printed = await running;
      assert(
        pattern(output).test(printed),
        `> ${input}\n${printed}\nshould be\n${output.join("\n")}`,
      );
    }
  });
}

Deno.test("help() gives a tour whose lines all work, then every helper, in 100 columns", async () => {
  await using prompt = testPrompt();
  const text = await prompt.enter("help()");
  for (const { usage, purpose } of HELPERS) {
    assertStringIncludes(text, usage);
    assertStringIncludes(text, purpose);
  }
  assertEquals(text.split("\n").filter((line) => line.length > 100), []);
  const tour = text.split("\n").slice(1, 6).map((line) => line.trim().split(/ {2,}/)[0]!);
  assertEquals(tour.length, 5);
  for (const line of tour) {
    const printed = await prompt.enter(line);
    assert(printed.split("\n").length > 2 && !printed.includes("Error"), `${line}: ${printed}`);
  }
});

Deno.test("every helper says more with help(name), in 100 columns", async () => {
  await using prompt = testPrompt();
  for (const { name, usage } of HELPERS) {
    const text = await prompt.enter(`help("${name}")`);
    assert(text.startsWith(usage), text);
    assertStringIncludes(await prompt.enter(name), `help(${name}) says more`);
    assertEquals(text.split("\n").filter((line) => line.length > 100), [], name);
  }
  assertStringIncludes(await prompt.enter("help('wlak')"), "No help on wlak");
});

Deno.test("everything that mod.ts exports is there", async () => {
  await using prompt = testPrompt();
  for (const name of Object.keys(await import("../../mod.ts"))) {
    assertEquals(
      await prompt.enter(`typeof ${name} !== "undefined" && "${name}" in pagewalk`),
      "true\n",
    );
  }
});
