import { assert, assertEquals } from "@std/assert";

interface Declaration {
  kind: string;
  jsDoc?: { doc?: string; tags?: { kind: string }[] };
  def?: { extends?: string };
}

interface DocJson {
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}

/** Classes that only a function makes, whose example shows them. */
const SHOWN_ELSEWHERE = new Set(["SimulatedGuest", "HmpSession", "QemuProcess"]);

const ENTRIES = [
  "mod.ts",
  "src/entries/devices.ts",
  "src/entries/extend.ts",
  "src/entries/linux.ts",
  "src/report/mod.ts",
  "src/testing/mod.ts",
];

for (const entry of ENTRIES) {
  Deno.test(`every function and class of ${entry} says what it is, and shows its use`, async () => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["doc", "--json", entry],
      cwd: new URL("../../", import.meta.url),
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as DocJson;
    const lacking: string[] = [];
    let seen = 0;
    for (const { symbols } of Object.values(nodes)) {
      for (const { name, declarations } of symbols) {
        for (const { kind, jsDoc, def } of declarations) {
          if (kind !== "function" && kind !== "class") continue;
          seen++;
          if (!jsDoc?.doc) lacking.push(`${name}: no description`);
          // An error is shown by what throws it.
          const isError = kind === "class" &&
            (name.endsWith("Error") || def?.extends?.endsWith("Error"));
          const hasExample = jsDoc?.tags?.some((tag) => tag.kind === "example");
          if (!isError && !hasExample && !SHOWN_ELSEWHERE.has(name)) {
            lacking.push(`${name}: no @example`);
          }
        }
      }
    }
    assert(seen > 5, `only ${seen} functions and classes were seen`);
    assertEquals(lacking, []);
  });
}

Deno.test("every type that mod.ts mentions is exported by it", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "mod.ts"],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
