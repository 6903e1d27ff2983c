/** MAXPHYADDR is asked for where it matters, and where nobody tells it there is no verdict. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { HmpClient, type Monitor, Session } from "../../mod.ts";
import { monitorSource } from "../../src/entries/extend.ts";
import { parsePhysicalBits, readPhysicalBits } from "../../src/monitor/commands/physical_bits.ts";
import { ReplyParseError } from "../../src/monitor/errors.ts";
import { simulatedGuest } from "../../src/testing/mod.ts";
import { CLEARED, clearedPage, sessionOn } from "./_vcpus.ts";

/** A monitor of the simulated guest that notes what it is asked, and answers some of it otherwise. */
async function listening(
  answers: Record<string, string> = {},
): Promise<{ monitor: Monitor; asked: string[] }> {
  const client = await HmpClient.open(simulatedGuest().transport());
  const asked: string[] = [];
  const monitor: Monitor = {
    endpoint: client.endpoint,
    qemuVersion: client.qemuVersion,
    command(line, options) {
      asked.push(line);
      const known = Object.entries(answers).find(([start]) => line.startsWith(start));
      return known ? Promise.resolve(known[1]) : client.command(line, options);
    },
    close: () => client.close(),
    [Symbol.asyncDispose]: () => client.close(),
  };
  return { monitor, asked };
}

/** The cleared page, moved to a frame so high. */
function highPage(frame: bigint) {
  const { tables, running } = clearedPage();
  tables.change(CLEARED, 1, (raw) => raw & 0xfffn | 1n << 63n | frame);
  return { memory: tables.memory, running };
}

async function sessionAt(frame: bigint, answers?: Record<string, string>) {
  const { monitor, asked } = await listening(answers);
  const { memory, running } = highPage(frame);
  const cpus = {
    registers: () => Promise.resolve(running),
    allRegisters: () => Promise.resolve([running]),
  };
  const source = { ...monitorSource(monitor), memory, cpus };
  return { guest: new Session({ source }), asked };
}

Deno.test("a page that is not high asks for no MAXPHYADDR, in walks and in ranges", async () => {
  const { guest, asked } = await sessionAt(0xf_ffff_f000n);
  await using _ = guest;
  assertEquals((await guest.verify(CLEARED)).verdict, "pass");
  assertEquals((await guest.verifyRange(CLEARED, 4096)).verdict, "pass");
  assertEquals(asked, []);
});

Deno.test("a high page passes below MAXPHYADDR, and has reserved bits at or above it", async () => {
  for (
    const [bits, outcome, verdict] of [
      ["40", "reservedBits", "inconclusive"],
      ["45", "reservedBits", "inconclusive"],
      ["46", "mapped", "pass"],
      ["52", "mapped", "pass"],
    ]
  ) {
    const { guest, asked } = await sessionAt(1n << 45n, { "qom-get": bits! });
    await using _ = guest;
    for (let i = 0; i < 2; i++) {
      const found = await guest.verify(CLEARED);
      assertEquals([found.walk.outcome, found.verdict], [outcome, verdict], `phys-bits=${bits}`);
      assertEquals((await guest.verifyRange(CLEARED, 4096)).verdict, verdict);
    }
    assertEquals(asked.length, 2); // Once for the session.
  }
});

Deno.test("MAXPHYADDR that was named is asked of nobody", async () => {
  const { monitor, asked } = await listening();
  const source = monitorSource(monitor);
  await using guest = new Session({ source, paging: { physicalAddressBits: 46 } });
  assertEquals([await guest.physicalAddressBits(), asked], [46, []]);
});

Deno.test("where nobody tells MAXPHYADDR a high page gets no verdict, and the reason says so", async () => {
  const { memory, running } = highPage(1n << 45n);
  const unknown = "unknown command: 'hotpluggable-cpus'";
  const sessions = [
    sessionOn(memory, () => [running]),
    (await sessionAt(1n << 45n, { "info hotpluggable-cpus": unknown })).guest,
    (await sessionAt(1n << 45n, { "qom-get": "Error: Property not found" })).guest,
  ];
  for (const guest of sessions) {
    for (const expectation of [{ user: false }, { user: true }, { present: false }]) {
      const { verdict, reason } = await guest.verify(CLEARED, expectation);
      assertEquals(verdict, "inconclusive");
      assertMatch(reason, /may be beyond MAXPHYADDR/);
      const range = await guest.verifyRange(CLEARED, 4096, expectation);
      assertEquals([range.verdict, range.gaps[0]?.cause], ["inconclusive", "beyondKnown"]);
    }
    assertEquals((await guest.access(CLEARED)).outcome, "unknown");
    await guest.close();
  }
});

Deno.test("readPhysicalBits() puts no other path into a command than one of QEMU's object tree", async () => {
  for (const path of ["/machine/x y", "/machine/x; quit", "machine", "/a\nquit"]) {
    const { monitor, asked } = await listening({
      "info hotpluggable-cpus": `Hotpluggable CPUs:\n  qom_path: "${path}"\n`,
    });
    assertEquals(await readPhysicalBits(monitor), null);
    assertEquals(asked, ["info hotpluggable-cpus"]);
    await monitor.close();
  }
});

Deno.test("parsePhysicalBits() takes what a vCPU can have, and nothing else", () => {
  assertEquals(parsePhysicalBits("40\n"), 40);
  for (const reply of ["", "0", "53", "31", "0x28", "40 41", "forty"]) {
    assertThrows(() => parsePhysicalBits(reply), ReplyParseError);
  }
});
