import { assertEquals } from "@std/assert";
import { TOOLS, whatFor } from "./packages.ts";

Deno.test("whatFor() says once of each package which program of it is needed, and for what", () => {
  const lines = whatFor(["gcc", "tmux", "gcc"]);
  assertEquals(lines.length, 2);
  assertEquals(lines[1], "tmux: tmux, for the REPL in a terminal");
  for (const { package: name, program } of TOOLS) {
    assertEquals(whatFor([name]).length, 1);
    assertEquals(whatFor([name])[0]!.includes(program), true);
  }
});
