import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, ConnectionLostError } from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { testPrompt } from "./_prompt.ts";

Deno.test("a prompt connects again when the connection was lost, and keeps its variables", async () => {
  const guest = simulatedGuest();
  let monitor = fakeMonitor(guest);
  const { endpoint } = monitor;
  const port = Number(String(endpoint).split(":").at(-1));
  await using prompt = testPrompt({ open: () => connect(endpoint) });
  await prompt.enter("const before = walk(0x7f1234567000)");
  await prompt.enter("root(0x5100000)");

  await monitor[Symbol.asyncDispose]();
  assertStringIncludes(await prompt.enter("walk(0x7f1234567000)"), "ConnectionLostError");
  assert(prompt.repl.guest.isLost);
  assertEquals(await prompt.enter("before.outcome"), "mapped\n");
  assertStringIncludes(await prompt.enter("cpus()"), "ConnectError");

  monitor = fakeMonitor(guest, { port });
  await using _again = monitor;
  assertEquals(await prompt.enter("walk(0x7f1234567000).outcome"), "mapped\n");
  assertEquals(prompt.repl.guest.isLost, false);
  assertEquals(prompt.repl.guest.choiceLabel, "0x5100000");
  assertEquals(prompt.notices, [`Connected again to QEMU 7.2.22 at ${endpoint}`]);
});

Deno.test("a prompt asks once more at once if QEMU is back already", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using prompt = testPrompt({ open: () => connect(monitor.endpoint) });
  await prompt.enter("cpus()");
  monitor.inject({ fault: { kind: "close", afterBytes: 3 }, on: "info registers", times: 1 });
  assertStringIncludes(await prompt.enter("regs()"), "vCPU 0: CPL 3");
  assertEquals(prompt.notices.length, 1);
});

Deno.test("connect() connects again, connect(endpoint) elsewhere", async () => {
  await using first = fakeMonitor(simulatedGuest());
  await using second = fakeMonitor(simulatedGuest({ qemu: "10.0" }));
  await using prompt = testPrompt({
    open: (endpoint: unknown = first.endpoint) => connect(String(endpoint)),
  });
  await prompt.enter("root(0x5000000)");
  assertEquals(await prompt.enter("connect()"), `QEMU 7.2.22 at ${first.endpoint}\n`);
  assertEquals(prompt.repl.guest.choiceLabel, "0x5000000");
  const moved = await prompt.enter(`connect("${second.endpoint}")`);
  assertStringIncludes(moved, "QEMU 10.0");
  assertEquals(prompt.repl.guest.choiceLabel, "cpu0");
  assertEquals(await prompt.enter("session.endpoint"), `${second.endpoint}\n`);
});

Deno.test("a session given to a prompt is used, and closed with it", async () => {
  const session = await connect("sim:");
  {
    await using prompt = testPrompt({ session, globals: { answer: 42, walk: () => "mine" } });
    assertEquals(await prompt.enter("answer"), "42\n");
    assertEquals(await prompt.enter("walk()"), "mine\n");
    assertEquals(await prompt.enter("session.endpoint"), "sim:\n");
  }
  await assertRejects(() => session.walk(0x1000n), ConnectionLostError);
});

Deno.test("root() chooses only what the guest has", async () => {
  await using prompt = testPrompt();
  assertStringIncludes(await prompt.enter("root({ cpu: 7 })"), "NoSuchCpuError");
  assertEquals(prompt.repl.guest.choiceLabel, "cpu0");
  await prompt.enter("root({ cpu: 1 })");
  assertEquals(prompt.repl.guest.choiceLabel, "cpu1");
});
