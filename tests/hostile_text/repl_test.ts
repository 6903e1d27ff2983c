import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fakeMonitor, type MonitorSource, simulatedGuest } from "../../src/testing/mod.ts";
import { Terminal, TERMINAL_TESTS } from "../repl/_terminal.ts";
import { assertClean, HOSTILE_UTF8 } from "./_hostile_text.ts";

/** A simulated guest whose monitor calls itself, and answers, as it should not. */
function hostileSource(): MonitorSource {
  const guest = simulatedGuest();
  return {
    version: HOSTILE_UTF8.replaceAll(/\s/g, ""),
    openMonitor: (cpu) => {
      const session = guest.openMonitor(cpu);
      return {
        async answer(line) {
          const answer = await session.answer(line);
          return { ...answer, text: `${answer.text}${HOSTILE_UTF8.replace("\r\n", "\r")}\n` };
        },
      };
    },
  };
}

const LINES = [
  "connect()",
  'monitor("info status")',
  'monitor("info nonsense")',
  "cpus()",
  "regs()",
  "walk(0x7f1234567000)",
  `[${JSON.stringify(HOSTILE_UTF8)}, { [${JSON.stringify(HOSTILE_UTF8)}]: 1 }]`,
  `walk(${JSON.stringify(HOSTILE_UTF8)})`,
  `connect(${JSON.stringify(`unix:/nowhere/${HOSTILE_UTF8}`)})`,
  `throw new Error(${JSON.stringify(HOSTILE_UTF8)})`,
  "session",
];

for (const line of LINES) {
  Deno.test(`pipe: ${line.replaceAll(/[^ -~]/g, "?")} prints nothing that acts on a terminal`, async () => {
    await using monitor = fakeMonitor(hostileSource());
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "repl.ts", `${monitor.port}`, "--eval", line],
      env: { NO_COLOR: "1" },
    }).output();
    const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    assert(text !== "");
    assertClean(text, line);
  });
}

Deno.test({
  name: "terminal: a hostile monitor's words are shown, not obeyed",
  ...TERMINAL_TESTS,
  fn: async () => {
    await using monitor = fakeMonitor(hostileSource());
    await using terminal = await Terminal.startRepl(
      [`${monitor.port}`],
      [`--allow-net=127.0.0.1:${monitor.port}`],
    );
    await terminal.until(/help\(\) lists the helpers/);
    await terminal.enter('monitor("info status")');
    const screen = await terminal.until(/VM status/);
    // The screen was neither cleared nor painted, and the title stands in the text.
    assertStringIncludes(screen, "\\x1b]0;owned\\x07");
    assertStringIncludes(screen, "\\u202e");
    assertEquals(screen.includes("\u202e"), false);
  },
});
