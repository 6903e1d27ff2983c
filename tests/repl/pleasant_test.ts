import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fitTables, fitText } from "../../src/repl/show/fit.ts";
import { Terminal, TERMINAL_TESTS } from "./_terminal.ts";

const AT_PROMPT = /\nsim:cpu0>$/;

/** Code that never ends by itself, whoever calls it. */
const ENDLESS: readonly string[] = [
  "while (true) {}",
  "for (;;) {}",
  "do {} while (true)",
  "try { for (;;) { try { for (;;); } catch {} } } catch {}",
  "[1].map(() => { while (true) {} })",
  "const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); f(60)",
  "new (class { constructor() { while (true) {} } })()",
  "({ get x() { for (;;); } }).x",
  "[...(function* () { for (;;) yield 1 })()].length",
  "JSON.stringify([1], () => { for (;;); })",
  "walk(0x1000) && (() => { for (;;) walk(0x1000) })()",
];

Deno.test("terminal: Ctrl-C ends any loop, and the session survives", TERMINAL_TESTS, async () => {
  await using terminal = await Terminal.startRepl([]);
  await terminal.until(AT_PROMPT);
  await terminal.enter("const kept = walk(0x7f1234567000)");
  await terminal.enter("let n = 0");
  for (const line of ENDLESS) {
    await terminal.enter(`n++; print('go' + n); ${line}`);
    const number = ENDLESS.indexOf(line) + 1;
    await terminal.until(new RegExp(`\ngo${number}\n?`));
    // Code that cannot wait is watched after a moment.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await terminal.press("C-c");
    await terminal.until(new RegExp(`\ngo${number}\n(?:.*\n)?Interrupted\nsim:cpu0>$`));
  }
  await terminal.enter("kept.outcome + walk(0x7f1234567000).outcome + n");
  await terminal.until(new RegExp(`\nmappedmapped${ENDLESS.length}\nsim:cpu0>$`));
});

Deno.test(
  "terminal: an entry of several lines comes back whole, in the next session too",
  TERMINAL_TESTS,
  async () => {
    const file = await Deno.makeTempFile();
    const permissions = [`--allow-read=${file}`, `--allow-write=${file}`];
    try {
      {
        await using terminal = await Terminal.startRepl(["--history", file], permissions);
        await terminal.until(AT_PROMPT);
        for (const line of ["for (const x of [1, 2]) {", "  print(x * 10)", "}"]) {
          await terminal.enter(line);
        }
        await terminal.until(/\n10\n20\nsim:cpu0>$/);
        await terminal.enter("1 + 1");
        await terminal.press("Up", "Up");
        await terminal.until(/sim:cpu0> for \(const x of \[1, 2\]\) \{\n {2}print\(x \* 10\)\n\}$/);
        await terminal.press("Enter");
        await terminal.until(/\}\n10\n20\nsim:cpu0>$/);
        await terminal.enter("quit");
        assert(!(await terminal.until(/\[exit 0\]$/)).includes("true"));
      }
      await using again = await Terminal.startRepl(["--history", file], permissions);
      await again.until(AT_PROMPT);
      await again.press("Up", "Up");
      await again.until(
        /sim:cpu0> for \(const x of \[1, 2\]\) \{\n {2}print\(x \* 10\)\n\}$|quit$/,
      );
      await again.press("Enter");
      await again.until(/10\n20\nsim:cpu0>$|\[exit 0\]$/);
    } finally {
      await Deno.remove(file);
    }
  },
);

Deno.test("terminal: Tab completes registers, in quotes and outside", TERMINAL_TESTS, async () => {
  await using terminal = await Terminal.startRepl([]);
  await terminal.until(AT_PROMPT);
  await terminal.type("$cr3");
  await terminal.press("C-u");
  await terminal.type("$gs_");
  await terminal.press("Tab");
  await terminal.until(/> \$gs_base$/);
  await terminal.press("C-u");
  await terminal.type('walk("$efe');
  await terminal.press("Tab");
  await terminal.until(/> walk\("\$efer$/);
  await terminal.press("C-u");
  await terminal.enter("$cr3");
  await terminal.until(/\n0x510_0000\nsim:cpu0>$/);
});

Deno.test(
  "terminal: 40 columns fold tables between their columns, and a silent command says that it goes on",
  TERMINAL_TESTS,
  async () => {
    await using terminal = await Terminal.startRepl([], [], 40);
    await terminal.until(AT_PROMPT);
    await terminal.enter("walk(0x7f1241000000)");
    const screen = await terminal.until(/execute no\nsim:cpu0>$/);
    const rows = screen.split("\n").filter((line) => /^(level|PML4|PDPT|PD|PT| ) /.test(line));
    // Each of five rows goes on below with the entry, the last with what it decides.
    assertEquals(rows.filter((row) => !row.startsWith(" ")).length, 5);
    assertEquals(rows.filter((row) => /^ {4}(entry|0x)/.test(row)).length, 5, screen);
    await terminal.enter("await new Promise(() => {})");
    await terminal.until(/\n… \d s; Ctrl-C ends it$/);
    await terminal.press("C-c");
    assertStringIncludes(
      await terminal.until(/\nInterrupted\nsim:cpu0>$/),
      "Promise(() => {})\nInterrupted",
    );
  },
);

Deno.test("help's words are whole on narrow terminals", () => {
  const help = "x(va): read words\n  as xp, but through the current tables";
  assertEquals(
    fitText(help, 20),
    "x(va): read words\n  as xp, but through\n    the current\n    tables",
  );
  assertEquals(fitText(help, 80), help);
});

Deno.test("fitTables() folds lines between their columns, counts no colours, and leaves prose", () => {
  const table = "PML4  254  0x510_07f0";
  assertEquals(fitTables(table, 15), "PML4  254\n    0x510_07f0");
  assertEquals(fitTables(table, 21), table);
  assertEquals(
    fitTables("\x1b[1mPML4\x1b[22m  254  0x510_07f0", 15),
    "\x1b[1mPML4\x1b[22m  254\n    0x510_07f0",
  );
  const prose = "A sentence that is wider than the terminal has no columns.";
  assertEquals(fitTables(`${prose}\n${table}`, 15), `${prose}\nPML4  254\n    0x510_07f0`);
  // Text longer than a line goes on below by words, and begins where the others end.
  assertEquals(
    fitTables("CR2  0x42  address of the last page fault", 20),
    "CR2  0x42  address\n    of the last page\n    fault",
  );
  // Nothing is lost but what is wider than a line.
  assertEquals(fitTables("low  one    0x0123456789abcdef", 12), "low  one\n    0x01234…");
});
