import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, GuestLeftPausedError, readStatus } from "../../mod.ts";
import { fakeMonitor, simulatedGuest, startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";

Deno.test("frozen() pauses a running guest for the block, and resumes it", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  assertEquals(await session.frozen(() => Promise.resolve(guest.running)), false);
  assertEquals(guest.running, true);
});

Deno.test("frozen() leaves a paused guest paused", async () => {
  const guest = simulatedGuest();
  guest.command("stop");
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  await session.frozen(() => Promise.resolve());
  assertEquals(guest.running, false);
  assertEquals([monitor.count("stop"), monitor.count("cont")], [0, 0]);
});

Deno.test("frozen() resumes the guest when the block throws, and passes the error on", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  const failing = () => session.frozen(() => Promise.reject(new TypeError("mine")));
  await assertRejects(failing, TypeError, "mine");
  assertEquals(guest.running, true);
});

Deno.test("frozen() resumes the guest over a new connection when the old one breaks", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  monitor.inject({ fault: { kind: "close", afterBytes: 0 }, on: "info registers", times: 1 });
  await assertRejects(() => session.frozen(() => session.walk(guest.addresses.cleared)));
  assertEquals(guest.running, true);
});

Deno.test("frozen() says so when the guest cannot be resumed", async () => {
  const guest = simulatedGuest();
  const monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  const error = await assertRejects(
    () => session.frozen(() => monitor.close()),
    GuestLeftPausedError,
    'resume it with "cont"',
  );
  assertEquals(error.endpoint, session.endpoint);
});

Deno.test("frozen() blocks nest and overlap: the first pauses, the last resumes", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  const first = Promise.withResolvers<void>();
  const a = session.frozen(() => first.promise);
  const b = session.frozen(() => session.frozen(() => Promise.resolve(guest.running)));
  assertEquals(await b, false);
  assertEquals(guest.running, false);
  first.resolve();
  await a;
  assertEquals(guest.running, true);
  assertEquals([monitor.count("stop"), monitor.count("cont")], [1, 1]);
});

liveTest(
  "frozen() on a real QEMU: paused inside, running after, also when interrupted",
  async () => {
    await using running = await startBareGuest("4-level");
    const port = running.monitorPort;
    {
      await using session = await connect(port);
      const status = () => readStatus(session.monitor);
      assertEquals((await session.frozen(status)).running, false);
      assertEquals((await status()).running, true);
    }
    const code = `import { connect } from ${
      JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
    };
    const guest = await connect(${port});
    await guest.frozen(async () => {
      console.log("frozen");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
    for (
      const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const
    ) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", `--allow-net=127.0.0.1:${port}`, "-"],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(code));
      await writer.close();
      const reader = child.stdout.getReader();
      assert(new TextDecoder().decode((await reader.read()).value).includes("frozen"));
      child.kill(signal);
      await reader.cancel();
      assertEquals((await child.status).code, exitCode);
      await using session = await connect(port);
      assertEquals((await readStatus(session.monitor)).running, true);
    }
  },
);
