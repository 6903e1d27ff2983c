/** The connection comes first in each script; what is behind it needs neither quotes nor an option's name. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../src/pagewalk/commands.ts";
import { describeCommands } from "../../src/pagewalk/describe.ts";
import { runExample } from "../examples/_run.ts";

const PAGE = "0x7f1234567000";
const run = (script: string, ...args: string[]) => runExample(script, args);

Deno.test("each script that takes a guest takes it first", async () => {
  const described = await describeCommands();
  assertEquals(described.length, COMMANDS.length);
  for (const { name, spec: { positionals } } of described) {
    const place = positionals.findIndex(({ isEndpoint }) => isEndpoint);
    assertEquals(place <= 0, true, name);
  }
});

Deno.test("monitor.ts takes the rest of the line", async () => {
  const whole = await run("monitor.ts", "sim:", "info registers -a");
  assertEquals(whole.code, 0);
  for (
    const args of [
      ["sim:", "info", "registers", "-a"],
      ["sim:", "info", "registers", "-a", "--timeout", "5000"],
      ["--timeout", "5000", "sim:", "info", "registers", "-a"],
      ["sim:", "--", "info", "registers", "-a"],
    ]
  ) {
    assertEquals(await run("monitor.ts", ...args), whole);
  }
  assertMatch((await run("monitor.ts", "sim:")).stderr, /^error: Missing argument <command>/);
  assertMatch((await run("monitor.ts", "sim:", "info", "--jsn")).stderr, /^error: Unknown option/);
  assertMatch((await run("monitor.ts", "-h")).stdout, /<command…> \[options\]/);
});

Deno.test("fleet.ts: guests, then the address; the other order where it is plain", async () => {
  const rows = await run("fleet.ts", "sim:", "sim:b", PAGE);
  assertEquals([rows.code, rows.stderr], [0, ""]);
  assertEquals(await run("fleet.ts", PAGE, "sim:", "sim:b"), rows);
  // No port has this number.
  assertStringIncludes((await run("fleet.ts", "sim:", "4194304")).stdout, "0x400000");
  const unclear = await run("fleet.ts", "1334", "1335", "1336");
  assertEquals(unclear.code, 3);
  assertMatch(
    unclear.stderr,
    /^error: It is not clear which argument is the address: write it last/,
  );
  assertMatch((await run("fleet.ts", PAGE)).stderr, /^error: No guest is named/);
  assertMatch((await run("fleet.ts")).stderr, /^error: Missing argument <virtual_address>/);
  assertMatch((await run("fleet.ts", "--help")).stdout, /\[endpoint…\] <virtual_address>/);
});

Deno.test("maps.ts takes a name or a pid, and one process only", async () => {
  const one = /^error: Name one process: its pid or name behind the monitor/;
  assertMatch((await run("maps.ts", "sim:")).stderr, one);
  assertMatch((await run("maps.ts", "sim:", "target", "--pid", "84")).stderr, one);
  assertEquals((await run("maps.ts", "sim:", "--comm", "a", "--pid", "84")).code, 3);
  // The simulated guest runs no Linux, which is asked next.
  assertMatch((await run("maps.ts", "sim:", "target")).stderr, /^error: .*CONFIG_KALLSYMS/);
});
