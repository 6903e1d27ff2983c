/** However a process ends, at whatever moment: the stub is told to let the guest run on. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../mod.ts";
import { type QuietStub, quietStub } from "./_stub.ts";

const MOD = new URL("../../mod.ts", import.meta.url).href;
/** Far more than the signal takes to arrive, far less than the farewell may take. */
const LATE_MS = 300;

function startScript(stub: QuietStub, then: string): Deno.ChildProcess {
  const script = `import { connect } from ${JSON.stringify(MOD)};
    const guest = await connect("gdb:${stub.port}");
    console.log("connected");
    ${then}`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`${signal} before the gdbstub's first answer is followed by a farewell`, async () => {
    await using stub = quietStub();
    const child = startScript(stub, "");
    await stub.accepted;
    child.kill(signal);
    await pause(LATE_MS);
    stub.speak();
    const [requests, status] = await Promise.all([stub.requests, child.status]);
    await child.stdout.cancel();
    assertEquals([requests.at(-1), status.code], ["D;1", code]);
  });
}

const ENDS: readonly [name: string, code: string, exitCode: number][] = [
  ["Deno.exit()", "Deno.exit(7);", 7],
  ["an error that nobody catches", "setTimeout(() => { throw new Error('on purpose'); });", 1],
  [
    "a rejection that nobody handles",
    "Promise.reject(new Error('on purpose')); setInterval(() => {}, 1000);",
    1,
  ],
  ["a failing script", "throw new Error('on purpose');", 1],
  ["the end of a script that closes nothing", "", 0],
];

for (const [name, code, exitCode] of ENDS) {
  Deno.test(`${name} is preceded by a farewell to the gdbstub`, async () => {
    await using stub = quietStub();
    stub.speak();
    const child = startScript(stub, code);
    const [requests, status] = await Promise.all([stub.requests, child.status]);
    await child.stdout.cancel();
    assertEquals([requests.at(-1), status.code], ["D;1", exitCode]);
  });
}

Deno.test("an attempt that is aborted in the moment it succeeds says farewell", async () => {
  await using stub = quietStub();
  const controller = new AbortController();
  stub.accepted.then(() => controller.abort(new Error("changed my mind")));
  const attempt = assertRejects(
    () => connect(`gdb:${stub.port}`, { signal: controller.signal }),
    Error,
    "changed my mind",
  );
  await stub.accepted;
  await pause(LATE_MS);
  stub.speak();
  await attempt;
  assertEquals((await stub.requests).at(-1), "D;1");
});

Deno.test("what is asked while a connection closes never follows the farewell", async () => {
  await using stub = quietStub();
  stub.speak();
  const guest = await connect(`gdb:${stub.port}`);
  const asked = Array.from({ length: 40 }, () => guest.monitor.command("info status"));
  const closed = guest.close();
  asked.push(guest.monitor.command("info status"));
  const outcomes = await Promise.allSettled(asked);
  await closed;
  assertEquals(outcomes.at(-1)?.status, "rejected");
  assertEquals((await stub.requests).at(-1), "D;1");
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
