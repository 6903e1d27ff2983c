/** The simulated guest's tables in a real QEMU: both monitors must send the same bytes. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import {
  fakeMonitor,
  qemuAvailable,
  type QemuRelease,
  type SimulatedGuest,
  simulatedGuest,
  type SimulatedGuestOptions,
  startQemu,
} from "../../src/testing/mod.ts";
import { SeededRandom } from "../../src/testing/simulated_guest_random.ts";
import { GDB_REGISTERS, GdbRegisters } from "./_gdb_registers.ts";
import { RELEASES } from "./_recorded.ts";
import { SEEN } from "./_seen_answers.ts";
import { WireClient } from "./_wire_client.ts";

const qemu = await qemuAvailable();
const release = RELEASES.find((release): release is QemuRelease =>
  qemu?.version.startsWith(`${release}.`) === true
);
/** Without a QEMU whose text is known these are skipped and counted so; in CI they fail instead. */
function live(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: release === undefined && Deno.env.get("CI") !== "true", fn });
}

const GUESTS: SimulatedGuestOptions[] = [
  { mode: "4-level" },
  { mode: "4-level", kpti: true },
  { mode: "5-level" },
  { mode: "pae" },
  { mode: "32-bit" },
  { mode: "none" },
];

for (const options of GUESTS) {
  const name = `${options.mode}${options.kpti ? " with KPTI" : ""}`;
  live(`simulated guest, ${name}: a real QEMU with its memory sends the same bytes`, async () => {
    assert(release !== undefined, "There is no QEMU whose text was recorded");
    // The second vCPU of the real one waits to be started.
    const schedule = [["target"], ["off"]] as const;
    const guest = simulatedGuest({ ...options, qemu: release, schedule });
    setReservedBit(guest);
    const directory = await Deno.makeTempDir();
    try {
      await using real = await startWith(guest, directory);
      await using fake = fakeMonitor(guest);
      await using telnet = fakeMonitor(guest, { scheme: "telnet" });
      await using realClient = await WireClient.unix(`${directory}/monitor`);
      await using fakeClient = await WireClient.tcp(fake.port);
      assertEquals(await fakeClient.untilPrompt(), await realClient.untilPrompt());
      await setRegisters(guest, directory);
      const commands = commandsFor(guest);
      let bytes = 0;
      for (const command of commands) {
        const expected = await realClient.exchange(`${command}\n`);
        assertEquals(await fakeClient.exchange(`${command}\n`), expected, command);
        bytes += expected.length;
      }
      console.log(
        `${name}: ${commands.length} replies, ${bytes} bytes the same as of QEMU ${qemu!.version}`,
      );
      assertGreater(commands.length, 100);
      await using realTelnet = await WireClient.unix(`${directory}/telnet`);
      await using fakeTelnet = await WireClient.tcp(telnet.port);
      assertEquals(await fakeTelnet.untilPrompt(), await realTelnet.untilPrompt());
      await real.kill();
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

/** QEMU's masks let the lowest reserved bit of a large page through into what it shows. */
function setReservedBit(guest: SimulatedGuest): void {
  const bit =
    { "pae": 20n, "32-bit": 21n, "4-level": 20n, "5-level": 20n, "none": null }[guest.mode];
  if (bit === null) return;
  guest.process("target").tables!.change(guest.addresses.largePage, 2, (raw) => raw | 1n << bit);
}

/** Starts a paused QEMU with the guest's memory, and waits for its three sockets. */
async function startWith(guest: SimulatedGuest, directory: string) {
  const args = ["-S", "-m", "4G", "-smp", "2", "-cpu", "max", "-display", "none", "-nic", "none"];
  args.push("-monitor", `unix:${directory}/monitor,server,nowait`);
  args.push("-gdb", `unix:${directory}/gdb,server,nowait`);
  args.push("-chardev", `socket,id=t,path=${directory}/telnet,telnet=on,server=on,wait=off`);
  args.push("-mon", "chardev=t");
  for (const { address, bytes } of guest.memory.writtenRuns()) {
    if (address > 0xfff0_0000n && address < 1n << 32n) continue; // QEMU has its own BIOS.
    const file = `${directory}/${address.toString(16)}`;
    await Deno.writeFile(file, bytes);
    args.push("-device", `loader,file=${file},addr=0x${address.toString(16)},force-raw=on`);
  }
  const process = await startQemu(args);
  for (const socket of ["monitor", "gdb", "telnet"]) await listening(`${directory}/${socket}`);
  return process;
}

async function listening(path: string): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      (await Deno.connect({ transport: "unix", path })).close();
      return;
    } catch (error) {
      const notYet = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.ConnectionRefused;
      if (!notYet) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`QEMU did not open ${path}`);
}

/** Lets vCPU 0 use the tables of the process that the guest's vCPU 0 runs. */
async function setRegisters(guest: SimulatedGuest, directory: string): Promise<void> {
  using gdb = await GdbRegisters.connect(`${directory}/gdb`);
  const { cr0, cr3, cr4, efer } = guest.registers(0);
  const longModeActive = 1n << 10n;
  await gdb.write(GDB_REGISTERS.efer, efer & ~longModeActive);
  await gdb.write(GDB_REGISTERS.cr4, cr4);
  await gdb.write(GDB_REGISTERS.cr3, cr3);
  await gdb.write(GDB_REGISTERS.cr0, cr0);
  await gdb.write(GDB_REGISTERS.efer, efer);
}

/** What depends on a machine that runs, or was set up by its BIOS. */
const DEPENDS_ON_STATE = /status|^(?:s|stop|c|cont)\b/;

function commandsFor(guest: SimulatedGuest): string[] {
  const { dmaBuffer, deviceMemory, ...named } = guest.addresses;
  const { start, lengthBytes } = dmaBuffer;
  const random = new SeededRandom(11);
  const addresses = [
    ...Object.values(named).filter((address) => address !== null),
    ...[0n, 0x1_ffff_ffffn, 0xffff_ffff_ffff_f000n, 0x100_0040_0000n],
    ...[named.largePage + 0x20_0000n, named.largePage + 0x40_0000n],
    start + BigInt(lengthBytes),
    ...Array.from({ length: 20 }, () => random.word() & ~0xfffn),
    ...Array.from({ length: 20 }, () => start + BigInt(random.below(256)) * 0x1000n),
  ];
  const tables = guest.process("target").root;
  return [
    "info tlb",
    "info registers 1",
    ...addresses.flatMap((address) => [
      `gva2gpa ${shown(address + 0x123n)}`,
      `x /4gx ${shown(address)}`,
      `x /6wx ${shown(address + 0xff0n)}`,
      `xp /4gx ${shown(address)}`,
    ]),
    `gva2gpa ${shown(deviceMemory)}`,
    `xp /512gx ${shown(tables)}`,
    `xp /300bx ${shown(tables + 1n)}`,
    "xp /4gx 0xbffffff0",
    ...SEEN.map(([command]) => command).filter((command) => !DEPENDS_ON_STATE.test(command)),
    "cpu 0",
    " bogus",
    " info bogus",
    "info  bogus x",
    "info foo/bar",
    "xp /2gx",
    "xp /2gx0x10",
    "print -5/2",
    "print -5%3",
    "print $",
    "print 18446744073709551616",
  ];
}

function shown(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16)}`;
}
