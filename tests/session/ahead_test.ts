/** What a connection asks together with the first registers. */
import { assertEquals } from "@std/assert";
import { connect, HmpClient, type Monitor, monitorSource, Session } from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";

const PAGE = 0x7f1234567000n;

/** How many packets with commands one check sends, and what is in each. */
async function packetsOfACheck(onNotice?: (text: string) => void): Promise<string[][]> {
  const transport = simulatedGuest().transport();
  const packets: string[][] = [];
  const write = transport.write.bind(transport);
  transport.write = (bytes) => {
    const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1).map((l) => l.trim());
    if (lines.length > 0) packets.push(lines);
    return write(bytes);
  };
  const monitor = await HmpClient.open(transport);
  await using guest = new Session({
    source: monitorSource(monitor, onNotice ? { onNotice } : {}),
  });
  assertEquals((await guest.verify(PAGE)).verdict, "pass");
  return packets;
}

Deno.test("registers, the map of RAM and the status go in one packet", async () => {
  const [first, ...others] = await packetsOfACheck(() => {});
  assertEquals(first, ["info registers", "info mtree -f", "info status"]);
  const reads = others.flat();
  assertEquals(reads.filter((line) => !line.startsWith("xp")), []);
  console.log(
    `  ${1 + others.length} packets in all: ${first!.length} commands, ${reads.length} reads`,
  );
});

Deno.test("nobody asks whether the guest runs if nobody wants to be told", async () => {
  const [first] = await packetsOfACheck();
  assertEquals(first, ["info registers", "info mtree -f"]);
});

/** The simulated guest, in another state of QEMU's. */
function monitorIn(status: string): Monitor {
  const guest = simulatedGuest();
  return {
    endpoint: "sim:",
    qemuVersion: "7.2.22",
    command: (line) => Promise.resolve(line === "info status" ? status : guest.command(line)),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

for (
  const [status, notice] of [
    ["running", []],
    ["paused", [
      "the guest is paused: by a user, or by a client of its gdbstub that was killed; " +
      '"cont" at its monitor resumes it',
    ]],
    ["paused (prelaunch)", ['the guest is paused (prelaunch): "cont" at its monitor resumes it']],
    ["paused (inmigrate)", [
      "the guest is paused (inmigrate): it waits for a migration to come in",
    ]],
    ["no status at all", []],
  ] as const
) {
  Deno.test(`the first reading of a guest whose status is ${status} says so once`, async () => {
    const notices: string[] = [];
    await using guest = new Session({
      source: monitorSource(monitorIn(`VM status: ${status}`), {
        onNotice: (text) => notices.push(text),
      }),
    });
    assertEquals((await guest.verify(PAGE)).verdict, "pass");
    await guest.allRegisters();
    assertEquals(notices, [...notice]);
  });
}

for (const protocol of ["hmp", "qmp"] as const) {
  Deno.test(`a guest that runs has no notice, over ${protocol}`, async () => {
    await using qemu = fakeMonitor(simulatedGuest(), { protocol });
    const notices: string[] = [];
    await using guest = await connect(qemu.endpoint, { onNotice: (text) => notices.push(text) });
    assertEquals((await guest.verify(PAGE)).verdict, "pass");
    assertEquals([guest.notice, notices], [null, []]);
  });
}
