import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./_module_graph.ts";

/** The words of x86 that show that a file knows more of it than it should. */
const WORDS = /\b(?:CR[0-4]|PML[45]|PDPT|EFER|cr[0-4]|efer)\b/;

/**
 * Files that may say them, with the reason. This list only ever gets shorter.
 */
const MAY_SAY: Readonly<Record<string, string>> = {
  "src/cli/guest_options.ts": "the help of --cpu and --root",
  "src/iommu/vtd/levels.ts": "VT-d's tables have these names in Intel's specification, too",
  "src/linux/oops/parse_oops.ts": "the lines of an oops, as an x86 kernel prints them",
  "src/repl/address_argument.ts": "an example of a register's name",
  "src/repl/helpers/address.ts": "an example of a register's name",
  "src/repl/helpers/cpus.ts": "a column of the table of vCPUs",
  "src/repl/helpers/iova.ts": "the example of what it shows: VT-d's tables",
  "src/repl/helpers/oops.ts": "the example of what it shows",
  "src/repl/helpers/regs.ts": "the example of what it shows",
  "src/repl/helpers/root.ts": "the help of root()",
  "src/repl/helpers/verify.ts": "the example of what it shows",
  "src/repl/helpers/verify_range.ts": "the example of what it shows",
  "src/repl/helpers/walk.ts": "the example of what it shows",
  "src/repl/helpers/watch.ts": "the example of what it shows",
  "src/repl/registers.ts": "the registers' names at the prompt",
  "src/repl/screen/pasted.ts": "tells registers in what was pasted",
  "src/repl/show/registers_text.ts": "the registers of a vCPU, by name",
  "src/repl/show/renderers.ts": "tells registers from other results",
  "src/report/html/_viewer_bundle.ts": "made of other files, src/arch/x86 among them",
  "src/session/oops.ts": "the registers that an oops shows",
  "src/session/table_choice.ts": "what may be meant by an unknown option",
};

/** The text without comments, which may say where a rule comes from and show x86 as an example. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

Deno.test("x86's words are said in src/arch/x86 alone", async () => {
  const says: string[] = [];
  let searched = 0;
  for (const path of sourceFiles("src")) {
    if (path.startsWith("src/arch/x86/") || path.startsWith("src/testing/")) continue;
    searched++;
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    if (WORDS.test(code(text))) says.push(path);
  }
  assert(searched > 150);
  assertEquals(says.sort(), Object.keys(MAY_SAY).sort());
});
