/** Help fits the terminal that it is read on, and its notes are whole. */
import { assert, assertEquals } from "@std/assert";
import { permissionsOf, usageText } from "../../src/cli/usage.ts";
import { describeCommands } from "../../src/pagewalk/describe.ts";

/** Scripts say what they are once, when they are loaded. */
const described = await describeCommands();

Deno.test("help keeps to 40, 80 and 100 columns, and loses no word", () => {
  for (const { name, spec } of described) {
    const words = (text: string) => text.split(/\s+/).filter((word) => word !== "").toSorted();
    const wide = usageText(spec, null, 10_000);
    for (const width of [40, 80, 100]) {
      const text = usageText(spec, null, width);
      assertEquals(words(text), words(wide), name);
      // Command lines stay whole: they are there to be copied.
      const lines = text.split("\n").slice(
        text.split("\n").findIndex((line) => /^ {2}/.test(line)),
      );
      for (const line of lines.slice(0, lines.findIndex((line) => line.startsWith("Examples")))) {
        const isOneWord = line.trim().split(" ").length <= 2;
        assert(line.length <= width || isOneWord, `${name} at ${width}: ${line}`);
      }
    }
  }
});

Deno.test("notes are paragraphs of help", () => {
  const noted = described.filter(({ spec }) => spec.notes !== undefined);
  assert(noted.length >= 4);
  for (const { spec } of noted) {
    const paragraphs = usageText(spec, null, 10_000).split("\n\n");
    for (const note of spec.notes!) assert(paragraphs.includes(note), note);
  }
});

Deno.test("an option of one letter has one dash", () => {
  const { spec } = described.find(({ name }) => name === "report")!;
  assert(/^ {2}-o FILE /m.test(usageText(spec, null)));
});

Deno.test("help names each permission once", () => {
  for (const { name, spec } of described) {
    for (const example of spec.examples) {
      const flags = permissionsOf(spec, example).split(" ").map((flag) => flag.split("=")[0]!);
      assertEquals(flags, [...new Set(flags)], `${name} ${example}`);
    }
  }
});
