import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HELPERS } from "../../src/repl/helpers/mod.ts";
import { testPrompt } from "./_prompt.ts";
import { checkTranscript } from "./_transcript.ts";

for (const helper of HELPERS.filter(({ on }) => on === undefined)) {
  Deno.test(`help("${helper.name}") shows what happens`, async () => {
    await using prompt = testPrompt();
    await checkTranscript(helper, prompt);
  });
}

for (const { name } of HELPERS.filter(({ on }) => on === "linux")) {
  Deno.test(`${name}() says that a guest runs no Linux`, async () => {
    await using prompt = testPrompt();
    const argument = name === "ps" ? "" : name === "frame" ? "0x1000" : '"init"';
    assertStringIncludes(await prompt.enter(`${name}(${argument})`), "LinuxNotFoundError");
  });
}

Deno.test("iova() says that a guest has no IOMMU", async () => {
  await using prompt = testPrompt();
  assertStringIncludes(await prompt.enter('iova("00:03.0", 0)'), "NoIommuError: ");
});

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
    // `help` alone is help().
    const alone = name === "help" ? "Helpers (help(name)" : `help(${name}) says more`;
    assertStringIncludes(await prompt.enter(name), alone);
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

Deno.test("what is no range and no snapshot is refused, not taken for everything", async () => {
  await using prompt = testPrompt();
  for (const input of ["mappings(0x7f1234567000)", "mappings({ cpu: 1 })", "mappings(null)"]) {
    assertStringIncludes(await prompt.enter(input), "InvalidArgumentError: The range comes first");
  }
  for (const input of ["diff()", "diff(walk(1))", "diff(snapshot(), { range: {} })"]) {
    assertStringIncludes(await prompt.enter(input), "InvalidArgumentError: Snapshots are compared");
  }
});

Deno.test("listings follow the prompt's choice of table, unless the call makes one", async () => {
  await using prompt = testPrompt();
  const range = "{ start: 0x7f1234567000, lengthBytes: 4096 }";
  assertStringIncludes(await prompt.enter(`mappings(${range})`), "0x00007f1234567000");
  await prompt.enter("root(0x5000000)");
  assertEquals(await prompt.enter(`mappings(${range})`), "none\n");
  assertStringIncludes(await prompt.enter(`mappings(${range}, { cpu: 0 })`), "0x00007f1234567000");
  assertEquals(await prompt.enter("snapshot().context.root"), "0x500_0000\n");
  assertEquals(await prompt.enter("snapshot({ cpu: 0 }).context.root"), "0x510_0000\n");
});
