import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { promptText } from "../../src/repl/prompt_text.ts";
import { HELPERS } from "../../src/repl/helpers/mod.ts";
import { groupHex } from "../../src/repl/show/group_hex.ts";
import { PLAIN } from "../../src/report/style.ts";
import { labTest, startLab } from "../lab/mod.ts";
import { testPrompt } from "./_prompt.ts";
import { checkTranscript } from "./_transcript.ts";

Deno.test(
  await labTest("the prompt looks into a Linux guest", "pti", async (t) => {
    await using lab = await startLab("pti");
    const session = await connect(lab.monitorPort);
    await using prompt = testPrompt({ session });
    const shownPrompt = () => promptText(prompt.repl.guest, "pagewalk", PLAIN);
    const { pid, root, userRoot } = lab.target;

    await t.step("nothing is named before Linux was asked for", async () => {
      assertEquals(/[a-z]+\+0x/.test(await prompt.enter("regs()")), false);
    });

    for (const helper of HELPERS.filter(({ on }) => on !== undefined)) {
      await t.step(`help("${helper.name}")`, () => checkTranscript(helper, prompt));
    }

    await t.step("processes are the guest's own", async () => {
      const shown = await prompt.enter("ps()");
      const line = new RegExp(
        `^ +${pid} \\S ${groupHex(root)} +${groupHex(userRoot)} +target$`,
        "m",
      );
      assertMatch(shown, line);
    });

    await t.step("a process's tables become the prompt's", async () => {
      await prompt.enter(`pid(${pid})`);
      assertEquals(shownPrompt(), `pagewalk:pid${pid}> `);
      assertStringIncludes(await prompt.enter("walk(0x7f1234567000)"), `(pid ${pid} target)`);
      const maps = await prompt.enter("maps()");
      assertMatch(maps, /^7f1234567000-7f1234667000 rw-p .*_PAGE_USER CLEARED/m);
      assertEquals(await prompt.enter('maps("target")'), maps);
      const listed = await prompt.enter("mappings()");
      assertMatch(listed, /^0x00007f1250010000-0x00007f1250013fff .* ur-x/m);
      assertMatch(listed, /^… \d+ more of \d+: _\.slice\(40\) shows the next$/m);
      assertMatch(await prompt.enter("_.slice(40)"), /^linear addresses .*\n0xffff/);
      assertMatch(await prompt.enter("aliases(translate(0x7f1234567000))"), /^0x7f12_3456_7000 /);
      await prompt.enter("root(null)");
      assertEquals(shownPrompt(), "pagewalk:cpu0> ");
    });

    await t.step("names of processes are completed", async () => {
      const { candidates } = await prompt.repl.complete('pid("targ', []);
      assertEquals(candidates, ["target"]);
    });

    await t.step("kernel addresses have their symbol", async () => {
      const address = BigInt(
        `0x${(await lab.shell("grep ' T schedule$' /proc/kallsyms")).split(" ")[0]}`,
      );
      assertEquals(
        await prompt.enter(`${address + 4n}n`),
        `${groupHex(address + 4n)} schedule+0x4\n`,
      );
      assertEquals(await prompt.enter("0x1000n"), "0x1000\n");
    });

    await t.step("a process that is gone is noticed", async () => {
      const started = Number((await lab.shell("sleep 1000 & echo $!")).trim());
      await prompt.enter(`pid(${started})`);
      assertStringIncludes(await prompt.enter("root()"), `(pid ${started} `);
      await lab.shell(`kill ${started}; wait ${started}`);
      assertMatch(await prompt.enter("walk(0)"), /^NoSuchProcessError: .*\n$/);
    });
  }),
);
