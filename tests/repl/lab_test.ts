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
      const all = await prompt.enter("aliases(translate(0x7f1234567000), { all: true })");
      assertMatch(
        all,
        /^0xffff_.* the kernel\n0x7f12_3456_7000 +4 KiB page +-rw- +pid \d+ target\n/,
      );
      assertMatch(all, /\nthe kernel and (\d+) of \1 processes with memory searched; /);
      const audited = await prompt.enter("audit({ all: true })");
      assertMatch(audited, /supervisor-leaf-in-user-range: pid \d+ target 0x7f1234567000 /);
      assertMatch(await prompt.enter("audit({ all: true, pid: 1 })"), /Unknown key "pid"/);
      await prompt.enter("root(null)");
      assertEquals(shownPrompt(), "pagewalk:cpu0> ");
    });

    await t.step("a device's tables become the prompt's", async () => {
      await prompt.enter('root({ device: "00:03.0" })');
      assertEquals(shownPrompt(), "pagewalk:00:03.0> ");
      const walked = await prompt.enter("walk(0x7123)");
      assertStringIncludes(walked, "(device 00:03.0, domain ");
      assertStringIncludes(walked, "read yes, write yes");
      const listed = await prompt.enter("mappings()");
      assertMatch(listed, /^IOVAs .*\n0x0{16}-0x0{11}fffff +1 MiB +4 KiB -rw-/);
      assertMatch(await prompt.enter("aliases(translate(0x7123))"), /^0x7123 /);
      assertMatch(await prompt.enter("access(0x7123, { write: true })"), /^goes through, to 0x/);
      assertStringIncludes(await prompt.enter("verify(0x7123)"), "have no right");
      assertEquals(await prompt.enter("const d = snapshot(); diff(d)"), "no differences\n");
      assertStringIncludes(await prompt.enter("audit()"), "0 high");
      await prompt.enter("root(null)");
    });

    await t.step(
      "an entry that is not present is named as the guest's kernel means it",
      async () => {
        const walked = await prompt.enter(`walk(0x7f1250020000, { pid: ${pid} })`);
        assertMatch(walked, /not present \(PROT_NONE, keeps frame 0x[0-9a-f_]+\)$/m);
        assertMatch(
          await prompt.enter(`walk(0x7f1250040000, { pid: ${pid} })`),
          /not present \(swapped out: type 0 \(\/dev\/ram0\), offset 0x[0-9a-f_]+/,
        );
        // Type 27 with offset 1, and type 31: what they are depends on how the kernel was built.
        assertStringIncludes(
          await prompt.enter("bits(0xdffffffffffffc00)"),
          ": a page being moved (migration), frame 0x1000\n",
        );
        assertStringIncludes(await prompt.enter("bits(0xffffff0000000000)"), "(swapin error)");
      },
    );

    await t.step("addresses are taken as other tools print them", async () => {
      // A vCPU that runs user code has tables without the kernel's data.
      await prompt.enter(`pid(${pid})`);
      const { address } = (await (await session.linux()).symbol("init_task"))!;
      const bare = address.toString(16);
      const shown = `${groupHex(address)} init_task\n`;
      for (const line of ["init_task", 'address("init_task")', bare, `${bare} D init_task`]) {
        assertEquals(await prompt.enter(line), shown, line);
      }
      assertEquals(
        await prompt.enter("init_task + 8"),
        `${groupHex(address + 8n)} init_task+0x8\n`,
      );
      for (
        const place of ["init_task+0x8", "init_task + 8", '"init_task+0x8"', '"init_task + 0x8"']
      ) {
        assertEquals(
          await prompt.enter(`walk(${place}).address === init_task + 8`),
          "true\n",
          place,
        );
      }
      assertEquals(await prompt.enter('walk(sym("init_task")).outcome'), "mapped\n");
      assertEquals(await prompt.enter("walk(_stext+0x40).outcome"), "mapped\n");
      assertEquals(
        await prompt.enter("init_task+0x8/0x40"),
        `${groupHex(address + 8n)} init_task+0x8\n`,
      );
      assertMatch(await prompt.enter("x/2gx init_task"), /^0xffff_/);
      assertMatch(await prompt.enter("typo_task"), /typo_task is not defined/);
      assertMatch(await prompt.enter("sym init_task"), / D init_task/);
      assertMatch(await prompt.enter("pid target"), /target\)/);
      await prompt.enter("root(null)");
    });

    await t.step("no await is needed in callbacks", async () => {
      const counted = await prompt.enter(
        "ps().filter(({ comm }) => comm === 'target').map((p) => aliases(translate(0x7f1234567000, { pid: p.pid }), { pid: p.pid }).length)",
      );
      assertMatch(counted, /^\[ [1-9]\d* \]\n$/);
      assertMatch(await prompt.enter("ps().sort((a, b) => a.root - b.root)[0].root"), /^0x/);
    });

    await t.step("Tab completes symbols, types and processes", async () => {
      const offered = async (text: string) => (await prompt.repl.complete(text, [])).candidates;
      assertEquals((await offered('sym("init_tas')).includes("init_task"), true);
      assertEquals((await offered('walk("init_tas')).includes("init_task"), true);
      assertEquals((await offered('type("task_struc')).includes("task_struct"), true);
      assertEquals(await offered('maps("targ'), ["target"]);
      assertEquals(await offered('walk("$ri'), ["$rip"]);
      assertEquals((await offered('sym("')).length <= 300, true);
    });

    await t.step("a report of a fault is held against the tables of its process", async () => {
      const segfault =
        `target[${pid}]: segfault at 7f1234567000 ip 0000000000401136 sp 00007ffc7b598e00 error 5 in target`;
      const told = await prompt.enter(`oops(${JSON.stringify(segfault)})`);
      assertStringIncludes(told, `by target (pid ${pid})`);
      assertStringIncludes(told, "now the same access faults again");
      assertEquals(told.includes("note:"), false, told);
      const oops = `BUG: unable to handle page fault for address: 00007f1234567000\n` +
        `#PF: error_code(0x0004) - not-present page\nPGD 0 P4D 0\n` +
        `CPU: 0 PID: ${pid} Comm: target Not tainted 6.1.0\nCR3: ${
          root!.toString(16).padStart(16, "0")
        }`;
      const then = await prompt.enter(`oops(${JSON.stringify(oops)})`);
      assertMatch(then, /^PGD: then 0x0 now 0x.*: not present then, present now$/m);
      assertEquals(then.includes("note:"), false, then);
      const gone = await prompt.enter(
        `oops(${JSON.stringify(oops.replace(/PID: \d+/, "PID: 99999"))})`,
      );
      assertMatch(gone, new RegExp(`belong to target \\(pid ${pid}\\) now`));
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
