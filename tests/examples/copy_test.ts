import { assertEquals, assertMatch } from "@std/assert";

Deno.test("an example that was copied away runs by changing its one import line", async () => {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-copy-" });
  try {
    const root = new URL("../../", import.meta.url);
    const text = await Deno.readTextFile(new URL("examples/qemu_verify_pte.ts", root));
    const specifiers = [...text.matchAll(/from "(.+)";/g)].map(([, specifier]) => specifier!);
    assertEquals(specifiers, ["@pagewalk/pagewalk/cli/check"]);
    const cli = new URL("src/cli/check.ts", root).href;
    await Deno.writeTextFile(`${folder}/copy.ts`, text.replace(specifiers[0]!, cli));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--config",
        new URL("deno.json", root).pathname,
        "copy.ts",
        "sim:",
        "0x7f1234567000",
      ],
      cwd: folder,
    }).output();
    const decoder = new TextDecoder();
    assertEquals([code, decoder.decode(stderr)], [0, ""]);
    assertMatch(decoder.decode(stdout), /Verification PASSED/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
