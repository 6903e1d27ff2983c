import { assertEquals } from "@std/assert";
import { withEagerFunctions } from "../tasks/eager_functions.ts";

/** Makes the functions eager that stand between « and »; the marks are taken out. */
function eager(marked: string): string {
  const ends = new Set<number>();
  let text = "";
  for (const part of marked.split(/([«»])/)) {
    if (part === "»") ends.add(text.length);
    else if (part !== "«") text += part;
  }
  return withEagerFunctions(text, ends);
}

Deno.test("withEagerFunctions() puts called functions in parentheses, declarations first", () => {
  assertEquals(
    eager("const a = f();\n«function f() {}»\nfunction g() {}\nexport { f };\n"),
    "var f=(function f() {});const a = f();\n\nfunction g() {}\nexport { f };\n",
  );
  assertEquals(
    eager("const f = «(x) => x.map(«(y) => ({ x, y })»)»;"),
    "const f = ((x) => x.map(((y) => ({ x, y }))));",
  );
  assertEquals(eager("«async function* f() {}»"), "var f=(async function* f() {});");
  // V8 has no such form for these.
  for (
    const text of ["class A { «f() {}» }", "const o = { «f() {}» };", "f(«async () => {}»);"]
  ) {
    assertEquals(eager(text), text.replaceAll(/[«»]/g, ""));
  }
});
