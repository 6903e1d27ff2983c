import { assert, assertEquals } from "@std/assert";
import { SaxesParser } from "saxes";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { cleanFolder } from "./_clean_folder.ts";
import { commandsOf, notPrinted } from "./_readme_commands.ts";

const ROOT = new URL("../../", import.meta.url);

/** Commands that are not run here, with the reason. */
const NOT_RUN: readonly [RegExp, string][] = [
  [/^npx /, "downloads Deno"],
  [/^(?:qemu-system|make|\w+ lab|mkdir)/, "starts a guest of one's own"],
  [/^deno task (?:lab|test|demo|repl)/, "has tests of its own"],
  [/npm:@pagewalk/, "ways_test.ts installs it from a registry of its own"],
  [/pagewalk-pagewalk|package\/lib/, "ways_test.ts makes the archive"],
  [/unix:/, "has no such socket"],
  [/^pahole/, "needs a kernel with its debugging data"],
];

/** What a command of a README must not be told: that it is wrong. */
const WRONG = /Unknown|Missing argument|Too many|did you mean|--allow-|Module not found|^\s+at /m;

const OOPS = "BUG: unable to handle page fault for address: 00007f1234567000\n";

for (const readme of ["README.md", "README.zh-CN.md"]) {
  Deno.test(`${readme}: each command works as it is written, from an empty folder`, async (t) => {
    const commands = commandsOf(await Deno.readTextFile(new URL(readme, ROOT)));
    assert(commands.length > 5, `${commands.length} commands`);
    await using monitor = fakeMonitor(simulatedGuest());
    await using clean = await cleanFolder();
    const [checkout, own] = [`${clean.path}/pagewalk`, `${clean.path}/own`];
    await Deno.mkdir(own);
    await Deno.mkdir(checkout);
    const parts = ["deno.json", "mod.ts", "repl.ts", "src", "examples"];
    for (const part of parts) {
      await clean.run("cp", ["-r", new URL(part, ROOT).pathname, checkout]);
    }
    await Deno.writeTextFile(`${checkout}/dmesg.log`, "");
    await Deno.writeTextFile(`${checkout}/lines.js`, "");
    await Deno.writeTextFile(`${checkout}/oops.txt`, OOPS);
    const text = await Deno.readTextFile(new URL(readme, ROOT));
    const map = [...text.matchAll(/^```json\n([^]*?)^```$/gm)].map(([, block]) => block!)
      .find((block) => block.includes('"links"'));
    if (map) {
      await Deno.writeTextFile(`${own}/deno.json`, map.replace("/path/to/pagewalk", checkout));
    }

    let ran = 0;
    for (const { line, output } of commands) {
      if (NOT_RUN.some(([pattern]) => pattern.test(line))) continue;
      ran++;
      await t.step(line, async () => {
        const isOwn = line.includes("/path/to/") ||
          !/examples\/|src\/|repl\.ts|^pagewalk/.test(line);
        const command = line
          .replaceAll("/path/to/pagewalk", checkout)
          .replaceAll(/\b1334\b/g, String(monitor.port));
        const where = isOwn && map ? own : checkout;
        const { code, stdout, stderr } = await clean.run("bash", [
          ...["-c", `cd '${where}' && export PATH='${clean.bin}':"$PATH" && ${command}`],
        ]);
        assertEquals(WRONG.exec(stderr), null, stderr);
        // What is shown of a Linux guest is not what the simulated one prints.
        if (/\b1334\b/.test(line)) return assert(code <= 3, `exit ${code}`);
        assertEquals(code, 0, stderr);
        assertEquals(notPrinted(output, stdout), [], `it prints:\n${stdout}`);
      });
    }
    assert(ran > 3, `${ran} commands ran`);
  });
}

Deno.test("README's workflow: its shell is sound, and its check writes a JUnit report", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const workflow = /^```yaml\n([^]*?)^```$/m.exec(readme)![1]!;
  const steps = [...workflow.matchAll(/^ {8}run: \|\n((?: {10}.*\n)+)/gm)].map(([, lines]) =>
    lines!.replaceAll(/^ {10}/gm, "")
  );
  assertEquals(steps.length, 2);
  await using monitor = fakeMonitor(simulatedGuest());
  await using clean = await cleanFolder();
  for (const step of steps) {
    const { code, stderr } = await clean.run("bash", ["-n", "-c", step]);
    assertEquals([code, stderr], [0, ""]);
  }
  // The simulated guest has no Linux, and no VFIO: one page stands for what it has pinned.
  const check = steps[1]!.split("\n").find((line) => line.startsWith("deno run"))!
    .replace(
      "package/lib/pagewalk.js vfio",
      `${new URL("src/pagewalk/main.ts", ROOT).pathname} verify`,
    )
    .replace(" --comm vfio_test", " 0x7f1234567000").replaceAll("1334", String(monitor.port));
  const { code, stderr } = await clean.run("bash", [
    ...["-c", `cd '${clean.path}' && export PATH='${clean.bin}':"$PATH" && ${check}`],
  ]);
  assertEquals([code, stderr], [0, ""]);
  const report = await Deno.readTextFile(`${clean.path}/pagewalk.xml`);
  const counts = { testcase: 0, failure: 0 };
  const parser = new SaxesParser();
  parser.on("opentag", ({ name }) => {
    if (name === "testcase" || name === "failure") counts[name]++;
  });
  parser.write(report).close();
  assertEquals(counts, { testcase: 1, failure: 0 });
});

Deno.test("notPrinted() finds lines that are missing or out of order", () => {
  const printed = "a\nb\nc\nd\n";
  assertEquals(notPrinted(["a", "…", "d"], printed), []);
  assertEquals(notPrinted(["a", "b"], printed), []);
  assertEquals(notPrinted(["…", "d", "…", "a"], printed), ["a"]);
  assertEquals(notPrinted(["b"], printed), ["b"]);
});
