import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkLines } from "../json/_schema.ts";
import { connect } from "../../mod.ts";
import { PLAIN } from "../../src/report/mod.ts";
import { promptText } from "../../src/repl/prompt_text.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { labTest, startLab } from "../lab/mod.ts";
import { testPrompt } from "../repl/_prompt.ts";
import { assertClean } from "./_hostile_text.ts";

/** Fifteen bytes, as many as a process's name has, and a call that ends a string of code. */
const NAME = "\x1b[31m\n\x07\u202eok 99";
const CODE = 'z"+Deno.exit())';
/** A program's path: what is mapped of it is named so. Its first 15 bytes name the process. */
const FILE = "/busybox\x1b]0;owned\x07\nok 99\u202e";
const LOG = "\x1b[2Jowned\x07\nok 99\u202e\t|\n";

/** Text as the guest's `printf` writes it. */
function octal(text: string): string {
  return Array.from(
    new TextEncoder().encode(text),
    (byte) => `\\${byte.toString(8).padStart(3, "0")}`,
  ).join("");
}

Deno.test(
  await labTest("a guest's names and log are shown, not obeyed", "4-level", async (t) => {
    await using lab = await startLab("4-level");
    const named = async (name: string) =>
      Number(
        (await lab.shell(
          `sh -c 'printf "${octal(name)}" > /proc/self/comm; while :; do sleep 9999; done' ` +
            "> /dev/null 2>&1 & echo $!",
        )).trim(),
      );
    const pid = await named(NAME);
    await named(CODE);
    const mapped = Number(
      (await lab.shell(
        `f=$(printf "${
          octal(FILE)
        }"); cp /bin/busybox "$f"; "$f" sleep 9999 > /dev/null 2>&1 & echo $!`,
      )).trim(),
    );
    // Else the kernel takes a few records only.
    await lab.shell("echo on > /proc/sys/kernel/printk_devkmsg");
    await lab.shell(`printf "<4>${octal(LOG)}" > /dev/kmsg`);

    const run = async (name: string, ...args: string[]) => {
      const { stdout, stderr } = await runExample(name, [`${lab.monitorPort}`, ...args], {
        permissions: netTo(lab.monitorPort),
      });
      assertEquals(stderr, "", name);
      assertClean(stdout, name);
      return stdout;
    };
    const shown = "\\x1b[31m\\n\\x07\\u202eok 99";
    const path = "\\x1b]0;owned\\x07\\nok 99\\u202e";

    await t.step("processes.ts", async () => {
      assertStringIncludes(await run("processes.ts"), ` ${shown}\n`);
      const json = checkLines("processes.ts", await run("processes.ts", "--json"));
      const found = json.find((process) => process.pid === pid);
      assertEquals(found.comm, NAME);
    });
    await t.step("maps.ts", async () => {
      assertStringIncludes(await run("maps.ts", "--pid", `${mapped}`), `/busybox${path} `);
      assertStringIncludes(await run("maps.ts", "--comm", NAME), `pid ${pid} ${shown}, root`);
    });
    await t.step("dmesg.ts", async () => {
      const text = await run("dmesg.ts");
      const added = text.split("\n").filter((line) => /owned|ok 99/.test(line));
      assertEquals(
        added.map((line) => line.replace(/^\[ *\d+\.\d+\] /, "").replace(/ {2,}/, " ")),
        [
          "\\x1b[2Jowned\\x07",
          "ok 99\\u202e |",
        ],
      );
    });
    await t.step("the other scripts, by that process", async () => {
      const args = ["0x400000", "--pid", `${pid}`];
      assertStringIncludes(await run("qemu_verify_pte.ts", ...args), `(pid ${pid} ${shown})`);
      await run("verify_vfio.ts");
      await run("symbols.ts", "init_task");
      await run("symbols.ts", "struct:list_head");
    });
    await t.step("the prompt", async () => {
      await using prompt = testPrompt({ session: await connect(lab.monitorPort) });
      const { repl } = prompt;
      const lines = [
        "ps()",
        `pid(${pid})`,
        `maps(${mapped})`,
        "maps()",
        "dmesg(20)",
        "walk(0x400000)",
        "ps().map(({ comm }) => comm)",
        "pid(1234567)",
        `pid(${JSON.stringify(`${NAME}!`)})`,
      ];
      for (const line of lines) assertClean(await prompt.enter(line), line);
      assertStringIncludes(await prompt.enter("ps()"), ` ${shown}`);
      const { candidates } = await repl.complete('pid("', []);
      for (const candidate of candidates) assertClean(candidate, "a completion", 1);
      assert(candidates.includes('z\\"+Deno.exit())'), candidates.join(" "));
      for (
        const [name, own] of [[NAME, "\\x1b[31m\\n\\x07\\u202eok 99"], [CODE, 'z\\"+Deno.exit())']]
      ) {
        await prompt.enter(`pid("${own}")`);
        assertEquals(repl.evaluator.scope.describe("_")!.value !== undefined, true, name);
        assertClean(promptText(repl.guest, "pagewalk", PLAIN), "the prompt itself", 1);
      }
    });
  }),
);
