import { assertEquals } from "@std/assert";
import { readListInput } from "../../src/cli/text_input.ts";

Deno.test("readListInput() takes one item a line, and neither empty lines nor comments", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "# hosts\n1334\n\n  10.0.0.7:1334  # the other\r\n");
    assertEquals(await readListInput(file), ["1334", "10.0.0.7:1334"]);
  } finally {
    await Deno.remove(file);
  }
});
