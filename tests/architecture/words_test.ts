import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./_module_graph.ts";

/** The words of x86 that show that a file knows more of it than it should. */
const WORDS = /\b(?:CR[0-4]|PML[45]|PDPT|EFER|cr[0-4]|efer)\b/;

/**
 * Files that may say them, with the reason. This list only ever gets shorter.
 */
const MAY_SAY: Readonly<Record<string, string>> = {
  "src/iommu/vtd/levels.ts": "VT-d's tables have these names in Intel's specification, too",
  "src/session/table_choice.ts": "what users of x86 write where `root` is meant",
};

/**
 * The text without comments and without the transcripts of the prompt's help, which run as tests on an x86
 * guest: both may say where a rule comes from and show x86 as an example.
 */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")
    .replaceAll(/^ {2}example: `[^`]*`,$/gm, "");
}

/** Files that are made of others, src/arch/x86 among them. */
const MADE = ["src/report/html/_viewer_bundle.ts"];

Deno.test("x86's words are said in src/arch/x86 alone", async () => {
  const says: string[] = [];
  let searched = 0;
  for (const path of sourceFiles("src")) {
    if (
      path.startsWith("src/arch/x86/") || path.startsWith("src/testing/") || MADE.includes(path)
    ) continue;
    searched++;
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    if (WORDS.test(code(text))) says.push(path);
  }
  assert(searched > 150);
  assertEquals(says.sort(), Object.keys(MAY_SAY).sort());
});
