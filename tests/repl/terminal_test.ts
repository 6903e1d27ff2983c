import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { Terminal, TERMINAL_TESTS } from "./_terminal.ts";

/** The prompt of the simulated guest at the end of the screen. */
const AT_PROMPT = /\nsim:cpu0>$/;

Deno.test(
  "terminal: lines run, complete, come back and can be searched",
  TERMINAL_TESTS,
  async () => {
    await using terminal = await Terminal.startRepl([]);
    assertStringIncludes(await terminal.until(AT_PROMPT), "this is the simulated guest");

    await terminal.enter("const w = walk(0x7f1241000000)");
    await terminal.enter("w.outcome");
    await terminal.until(/\nmapped\nsim:cpu0>$/);

    await terminal.type("w.decid");
    await terminal.press("Tab");
    await terminal.until(/> w\.decidedBy$/);
    await terminal.type(".u");
    // Not at once: Tab and Enter that are read together are a paste, in which Tab completes nothing.
    await terminal.press("Tab");
    await terminal.until(/> w\.decidedBy\.user$/);
    await terminal.press("Enter");
    await terminal.until(/> w\.decidedBy\.user\n2\nsim:cpu0>$/);

    await terminal.type("verify");
    await terminal.press("Tab");
    await terminal.press("Tab");
    await terminal.until(/verify +verifyRange/);
    await terminal.press("C-u");
    await terminal.type('monitor("info sta');
    await terminal.press("Tab");
    await terminal.enter('")');
    await terminal.until(/> monitor\("info status"\)\nVM status: running\nsim:cpu0>$/);

    await terminal.press("Up", "Up", "Up");
    await terminal.until(/> w\.outcome$/);
    await terminal.press("Enter");
    await terminal.until(/> w\.outcome\nmapped\nsim:cpu0>$/);

    await terminal.press("C-r");
    await terminal.type("decided");
    await terminal.until(/\(reverse-i-search\)`decided': w\.decidedBy\.user$/);
    await terminal.press("Enter");
    await terminal.until(/> w\.decidedBy\.user\n2\nsim:cpu0>$/);
    await terminal.type("kept");
    await terminal.press("C-r");
    await terminal.type("walk");
    await terminal.until(/`walk': const w = walk/);
    await terminal.press("C-g");
    await terminal.until(/sim:cpu0> kept$/);

    await terminal.press("C-u");
    await terminal.enter("for (const step of w.steps) {");
    await terminal.until(/\n\.\.\.$/);
    await terminal.enter("print(step.name)");
    await terminal.enter("}");
    await terminal.until(/\nPML4\nPDPT\nPD\nPT\nsim:cpu0>$/);

    await terminal.press("C-d");
    await terminal.until(/\[exit 0\]$/);
  },
);

Deno.test("terminal: Ctrl-C clears the line, or ends what runs", TERMINAL_TESTS, async () => {
  await using terminal = await Terminal.startRepl([]);
  await terminal.until(AT_PROMPT);
  await terminal.type("unfinished(");
  await terminal.until(/unfinished\($/);
  await terminal.press("C-c");
  await terminal.until(/unfinished\(\^C\nsim:cpu0>$/);
  await terminal.press("C-c");
  await terminal.until(/Ctrl-D or \.exit leaves\nsim:cpu0>$/);

  await terminal.enter("if (true) {");
  await terminal.until(/\n\.\.\.$/);
  await terminal.press("C-c");
  await terminal.until(/\.\.\. \^C\nsim:cpu0>$/);

  // What ends by its signal, what is left behind, and a loop that awaits helpers.
  await terminal.enter("watch(0x7f1234567000)");
  await terminal.until(/mapped to 0x\w+, 4 KiB page: .*$/);
  await terminal.press("C-c");
  await terminal.until(/execute no\nsim:cpu0>$/);
  await terminal.enter("await new Promise(() => {})");
  await terminal.until(/\{\}\)$/);
  await terminal.press("C-c");
  await terminal.until(/\nInterrupted\nsim:cpu0>$/);
  await terminal.enter("let n = 0; print('go'); for (;;) { walk(0x1000); n++ }");
  await terminal.until(/\ngo$/);
  await terminal.press("C-c");
  await terminal.until(/\ngo\nInterrupted\nsim:cpu0>$/);
  await terminal.enter("n > 0 && walk(0x7f1234567000).outcome");
  await terminal.until(/\nmapped\nsim:cpu0>$/);
});

Deno.test(
  "terminal: errors leave the prompt, also those that nobody awaits",
  TERMINAL_TESTS,
  async () => {
    await using terminal = await Terminal.startRepl([]);
    await terminal.until(AT_PROMPT);
    await terminal.enter("missing");
    await terminal.until(/ReferenceError: missing is not defined\nsim:cpu0>$/);
    await terminal.enter("walk('here')");
    await terminal.until(/InvalidArgumentError: Not an address: "here".*\nsim:cpu0>$/);
    await terminal.enter("void setTimeout(() => Promise.reject(new Error('late')), 1)");
    await terminal.until(/Error: late\nsim:cpu0>$/);
    await terminal.enter("void setTimeout(() => { throw new Error('later') }, 1)");
    await terminal.until(/Error: later\nsim:cpu0>$/);
    await terminal.enter(".exit");
    await terminal.until(/\[exit 0\]$/);
  },
);

Deno.test("terminal: the prompt shows whose tables are walked", TERMINAL_TESTS, async () => {
  await using terminal = await Terminal.startRepl([]);
  await terminal.until(AT_PROMPT);
  await terminal.enter("root(0x5000000)");
  await terminal.until(/\nsim:0x5000000>$/);
  await terminal.enter("root({ cpu: 1 })");
  await terminal.until(/\nsim:cpu1>$/);
  await terminal.enter("root(null)");
  await terminal.until(AT_PROMPT);
});

Deno.test("terminal: a lost monitor is said, and connected to again", TERMINAL_TESTS, async () => {
  const guest = simulatedGuest();
  let monitor = fakeMonitor(guest);
  const { endpoint } = monitor;
  const port = String(endpoint).split(":").at(-1)!;
  await using terminal = await Terminal.startRepl([port], [`--allow-net=127.0.0.1:${port}`]);
  await terminal.until(/QEMU 7\.2\.22 at 127\.0\.0\.1:\d+.*\npagewalk:cpu0>$/);
  await terminal.enter("const kept = walk(0x7f1234567000)");
  await terminal.until(/7000\)\npagewalk:cpu0>$/);

  await monitor[Symbol.asyncDispose]();
  await terminal.enter("cpus()");
  await terminal.until(/ConnectionLostError: .*\n(?:.*\n)*pagewalk:cpu0 \(lost\)>$/);
  await terminal.enter("kept.outcome");
  await terminal.until(/\nmapped\npagewalk:cpu0 \(lost\)>$/);

  monitor = fakeMonitor(guest, { port: Number(port) });
  await using _again = monitor;
  await terminal.enter("walk(kept.address).outcome");
  await terminal.until(/Connected again to QEMU 7\.2\.22 .*\nmapped\npagewalk:cpu0>$/);
});

Deno.test(
  "terminal: lines are kept in a history file, if it may be used",
  TERMINAL_TESTS,
  async () => {
    const file = await Deno.makeTempFile();
    const permissions = [`--allow-read=${file}`, `--allow-write=${file}`];
    try {
      for (const line of ["111 + 1", "222 + 1"]) {
        await using terminal = await Terminal.startRepl(["--history", file], permissions);
        await terminal.until(AT_PROMPT);
        await terminal.enter(line);
        await terminal.until(/\n\d{3}\nsim:cpu0>$/);
        await terminal.press("C-d");
        await terminal.until(/\[exit 0\]$/);
      }
      assertEquals(await Deno.readTextFile(file), "111 + 1\n222 + 1\n");
      await using reader = await Terminal.startRepl(["--history", file], permissions);
      await reader.until(AT_PROMPT);
      await reader.press("Up", "Up");
      await reader.until(/> 111 \+ 1$/);

      await using stranger = await Terminal.startRepl(["--history", file]);
      await stranger.until(AT_PROMPT);
      await stranger.enter("333 + 1");
      await stranger.until(/\n334\nsim:cpu0>$/);
      await stranger.press("Up");
      await stranger.until(/> 333 \+ 1$/);
      await stranger.press("C-u");
      await stranger.enter(".save /tmp/never");
      await stranger.until(/start with --allow-write=\/tmp\/never\nsim:cpu0>$/);
      assert(!(await Deno.readTextFile(file)).includes("333"));
    } finally {
      await Deno.remove(file);
    }
  },
);

Deno.test("terminal: colours, unless NO_COLOR is set", TERMINAL_TESTS, async () => {
  const command = [Deno.execPath(), "run", "repl.ts"];
  for (const prefix of [["env", "-u", "NO_COLOR"], ["env", "NO_COLOR=1"]]) {
    await using terminal = await Terminal.start([...prefix, ...command]);
    await terminal.until(AT_PROMPT);
    await terminal.enter("translate(0x7f1234567000)");
    await terminal.until(/\n0x1_1008_f000\nsim:cpu0>$/);
    const painted = await terminal.screen("-e");
    assertEquals(painted.includes("\x1b["), prefix.includes("-u"), JSON.stringify(painted));
  }
});

Deno.test("terminal: Ctrl-Z and fg come back to the line", TERMINAL_TESTS, async () => {
  await using shell = await Terminal.start(["env", "PS1=shell$ ", "bash", "--norc", "-i"]);
  await shell.until(/shell\$$/);
  await shell.enter(`${Deno.execPath()} run repl.ts`);
  await shell.until(AT_PROMPT);
  await shell.type("40 + ");
  await shell.until(/> 40 \+$/);
  await shell.press("C-z");
  await shell.until(/shell\$$/);
  await shell.enter("fg");
  await shell.until(/> 40 \+$/);
  await shell.enter("2");
  assertMatch(await shell.until(/\n42\nsim:cpu0>$/), /40 \+ 2/);
});

Deno.test(
  "terminal: what cannot be connected to ends it with one line",
  TERMINAL_TESTS,
  async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const port = String(listener.addr.port);
    listener.close();
    await using terminal = await Terminal.startRepl([port], [`--allow-net=127.0.0.1:${port}`]);
    const screen = await terminal.until(/\[exit 3\]$/);
    assertMatch(screen, /^error: .*127\.0\.0\.1:\d+[^]*\[exit 3\]$/);
    assert(!screen.includes("connecting"));
    await using forbidden = await Terminal.startRepl([port]);
    assertStringIncludes(await forbidden.until(/\[exit 3\]$/), `--allow-net=127.0.0.1:${port}`);
  },
);
