/** What a connection asks together with the first registers. */
import { assertEquals } from "@std/assert";
import { connect, HmpClient, type Monitor, QmpClient, Session } from "../../mod.ts";
import { monitorSource } from "../../src/entries/extend.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";

const PAGE = 0x7f1234567000n;

const PROTOCOLS = {
  hmp: {
    open: HmpClient.open,
    commands: (packet: string) => packet.split("\n").slice(0, -1).map((line) => line.trim()),
  },
  qmp: {
    open: QmpClient.open,
    commands: (packet: string) =>
      Array.from(packet.matchAll(/"command-line":"([^"]*)"/g), ([, line]) => line!),
  },
};
type Protocol = keyof typeof PROTOCOLS;

/** What one check sends, packet by packet, as far as it is commands. */
async function packetsOfACheck(
  protocol: Protocol,
  onNotice?: (text: string) => void,
): Promise<string[][]> {
  const { open, commands } = PROTOCOLS[protocol];
  const transport = simulatedGuest().transport({ protocol });
  const packets: string[][] = [];
  const write = transport.write.bind(transport);
  transport.write = (bytes) => {
    const lines = commands(new TextDecoder().decode(bytes));
    if (lines.length > 0) packets.push(lines);
    return write(bytes);
  };
  const monitor = await open(transport);
  await using guest = new Session({
    source: monitorSource(monitor, onNotice ? { onNotice } : {}),
  });
  assertEquals((await guest.verify(PAGE)).verdict, "pass");
  return packets;
}

for (const protocol of ["hmp", "qmp"] as const) {
  Deno.test(`registers, the map of RAM and the status go in one packet, over ${protocol}`, async () => {
    const [first, ...others] = await packetsOfACheck(protocol, () => {});
    assertEquals(first, ["info registers", "info mtree -f", "info status"]);
    const reads = others.flat();
    assertEquals(reads.filter((line) => !/^(?:xp|qom-get|info hotpluggable)/.test(line)), []);
    const total = 1 + others.length;
    console.log(`  ${protocol}: ${total} packets in all, ${reads.length} commands after the first`);
  });

  Deno.test(`nobody asks over ${protocol} whether the guest runs if nobody wants to know`, async () => {
    const [first] = await packetsOfACheck(protocol);
    assertEquals(first, ["info registers", "info mtree -f"]);
  });
}

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

Deno.test("a recording of a paused guest is no news of a guest that is paused", async () => {
  const path = await Deno.makeTempFile();
  const exchange = (command: string, reply: string) =>
    `${JSON.stringify({ command, reply, durationMs: 1 })}\n`;
  const registers = simulatedGuest().command("info registers");
  await Deno.writeTextFile(
    path,
    '{"pagewalk":"recording","version":1,"qemuVersion":"7.2.22","endpointKind":"tcp"}\n' +
      exchange("info registers", registers) + exchange("info status", "VM status: paused"),
  );
  const notices: string[] = [];
  await using guest = await connect(`replay:${path}`, { onNotice: (text) => notices.push(text) });
  assertEquals((await guest.registers()).cpu, 0);
  assertEquals(await guest.monitor.command("info status"), "VM status: paused");
  assertEquals(notices, []);
  await Deno.remove(path);
});
