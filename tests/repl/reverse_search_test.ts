import { assertEquals } from "@std/assert";
import { ReverseSearch } from "../../src/repl/terminal/reverse_search.ts";

const LINES = ["walk(3)", "xp(1)", "walk(2)", "walk(2)", "cpus()", "walk(1)"];

function search(...steps: ("older" | "newer" | "erase" | `+${string}`)[]): ReverseSearch {
  const state = new ReverseSearch(LINES);
  for (const step of steps) {
    if (step === "erase") state.erase();
    else if (step === "older" || step === "newer") state.next(step);
    else state.type(step.slice(1));
  }
  return state;
}

Deno.test("ReverseSearch finds the newest line first, and narrows as text is typed", () => {
  assertEquals(search().line, "");
  assertEquals(search("+w").line, "walk(3)");
  assertEquals(search("+walk(", "+2").line, "walk(2)");
  assertEquals(search("+walk").prompt, "(reverse-i-search)`walk': ");
  assertEquals(search("+(2").cursor, 4);
});

Deno.test("ReverseSearch goes to older lines and back, each text once", () => {
  assertEquals(search("+walk", "older").line, "walk(2)");
  assertEquals(search("+walk", "older", "older").line, "walk(1)");
  assertEquals(search("+walk", "older", "older", "newer").line, "walk(2)");
  assertEquals(search("older").line, "");
});

Deno.test("ReverseSearch keeps the last line that fitted when nothing does", () => {
  const state = search("+walk", "+9");
  assertEquals(state.line, "walk(3)");
  assertEquals(state.prompt, "(failed reverse-i-search)`walk9': ");
  state.erase();
  assertEquals(state.prompt, "(reverse-i-search)`walk': ");
  const atEnd = search("+walk", "older", "older", "older");
  assertEquals(atEnd.line, "walk(1)");
  assertEquals(atEnd.prompt.startsWith("(failed"), true);
});
