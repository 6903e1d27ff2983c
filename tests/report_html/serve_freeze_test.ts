/** `report.ts --serve --freeze` pauses the guest for each reading, and leaves it running. */
import { assert, assertEquals } from "@std/assert";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { startExample } from "../examples/_run.ts";

Deno.test("report.ts --serve --freeze pauses the guest for each reading", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  const args = [`${monitor.port}`, "--serve", "--freeze"];
  await using server = startExample("report.ts", args, ["--allow-net=127.0.0.1"]);
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const [, url] = (await lines.read()).value!.match(/^\[\+\] (\S+) /)!;
  const pauses = () => [monitor.count("stop"), monitor.count("cont")];
  assertEquals(pauses(), [1, 1]);
  const events = (await fetch(`${url}events`)).body!.getReader();
  for (const count of [2, 3]) {
    assert(!(await events.read()).done);
    // On a busy machine the next reading may have begun.
    for (const calls of pauses()) assert(calls >= count, `${calls} of ${count}`);
  }
  await events.cancel();
  server.kill("SIGINT");
  assertEquals((await server.status).code, 130);
  const [paused, resumed] = pauses();
  assertEquals(paused, resumed);
  await Promise.all([lines.cancel(), server.stderr.cancel()]);
});
