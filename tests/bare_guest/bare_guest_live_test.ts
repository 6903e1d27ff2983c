import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { BareGuestMode, BareGuestOptions } from "../../src/testing/bare_guest/bare_guest.ts";
import { type RunningBareGuest, startBareGuest } from "../../src/testing/bare_guest/start.ts";
import type { PageTableBuilder } from "../../src/testing/page_table_builder.ts";
import { qemuAvailable, QemuStartError } from "../../src/testing/qemu_process.ts";
import { RawMonitor } from "./_raw_monitor.ts";
import { tlbRow } from "./_tlb_row.ts";

const MODES: BareGuestMode[] = ["none", "32-bit", "pae", "4-level", "5-level"];
const GUESTS: [name: string, mode: BareGuestMode, options?: BareGuestOptions][] = [
  ...MODES.map((mode): [string, BareGuestMode] => [mode, mode]),
  ["4-level with PCID", "4-level", { pcid: true }],
  ["5-level with PCID", "5-level", { pcid: true }],
];
const qemu = await qemuAvailable();
/** Without QEMU these tests are skipped and counted so; in CI they fail instead. */
function live(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: qemu === null && Deno.env.get("CI") !== "true", fn });
}

for (const [name, mode, options] of GUESTS) {
  live(`bare guest, ${name}: every vCPU has the expected registers`, async () => {
    await using running = await startBareGuest(mode, { ...options, monitorSocket: true });
    await using monitor = await RawMonitor.connect(running.monitorSocket!);
    assertEquals(await registers(monitor), expectedRegisters(running));
    console.log(
      `${name}: up ${Math.round(running.bootMs)} ms after QEMU ${qemu?.version} started`,
    );
  });

  if (mode === "none") continue;
  live(`bare guest, ${name}: QEMU agrees about every page`, async () => {
    await using running = await startBareGuest(mode, { ...options, monitorSocket: true });
    await using monitor = await RawMonitor.connect(running.monitorSocket!);
    const compared = { rows: 0, addresses: 0, bytes: 0 };
    for (const [cpu, { tables }] of running.guest.vcpus.entries()) {
      await monitor.lines(`cpu ${cpu}`);
      const rows = await monitor.lines("info tlb");
      assertEquals(rows, tables!.leaves().map(tlbRow), `vCPU ${cpu}`);
      compared.rows += rows.length;
      compared.addresses += await compareTranslations(monitor, tables!);
      await compareSharedPages(monitor, running, cpu);
    }
    compared.bytes = await compareMemory(monitor, running);
    console.log(
      `${name}: ${compared.rows} rows of info tlb, ${compared.addresses} addresses by gva2gpa and ` +
        `${compared.bytes} bytes of RAM compared with QEMU ${qemu?.version}, no difference`,
    );
  });
}

live("bare guest, broken entries: it boots, and nothing is repaired", async () => {
  for (const mode of MODES.slice(1)) {
    await using running = await startBareGuest(mode, { monitorSocket: true, broken: true });
    await using monitor = await RawMonitor.connect(running.monitorSocket!);
    assertEquals(await registers(monitor), expectedRegisters(running));
    await compareMemory(monitor, running);
    const { tables } = running.guest.vcpus[0]!;
    const [outside, ...reserved] = running.guest.broken.map((va) => tables!.expect(va));
    assertEquals(outside!.outcome, "unreadable");
    assert(reserved.length > 0 && reserved.every(({ outcome }) => outcome === "reservedBits"));
    const table = tables!.entry(running.guest.broken[0]!, 2) & 0xff_ffff_f000n;
    const [line] = await monitor.lines(`xp /1gx 0x${table.toString(16)}`);
    assertStringIncludes(line!, "Cannot access memory");
  }
});

live("bare guest: four vCPUs on q35 with 5 GiB, QMP, gdb and a RAM file", async () => {
  const options = { vcpus: 4, memoryBytes: 5 * 2 ** 30, machine: "q35" } as const;
  await using running = await startBareGuest("4-level", {
    ...options,
    ...{ monitorSocket: true, qmp: true, gdb: true, memoryFile: true },
  });
  await using monitor = await RawMonitor.connect(running.monitorSocket!);
  assertEquals(await registers(monitor), expectedRegisters(running));

  const [run] = running.guest.memory.writtenRuns();
  using file = await Deno.open(running.memoryFile!);
  await file.seek(run!.address, Deno.SeekMode.Start); // below the hole, offsets are addresses
  const bytes = new Uint8Array(run!.bytes.length);
  let filled = 0;
  while (filled < bytes.length) filled += (await file.read(bytes.subarray(filled)))!;
  assertEquals(bytes, run!.bytes);

  using qmp = await Deno.connect({ hostname: "127.0.0.1", port: running.qmpPort! });
  const greeting = new Uint8Array(8);
  await qmp.read(greeting);
  assertEquals(new TextDecoder().decode(greeting), '{"QMP": ');
  using _gdb = await Deno.connect({ hostname: "127.0.0.1", port: running.gdbPort! });
});

live("startBareGuest() leaves neither process nor files behind", async () => {
  const running = await startBareGuest("none", { monitorSocket: true });
  const directory = running.monitorSocket!.replace("/monitor.sock", "");
  assert((await Deno.stat(directory)).isDirectory);
  await running[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
  assertEquals((await running.process.exited).signal, "SIGKILL");
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
});

live("startBareGuest() gives up if the guest does not come up", async () => {
  const start = () => startBareGuest("5-level", { extraArgs: ["-S"], timeoutMs: 500 });
  const error = await assertRejects(start, QemuStartError, "was not ready after 500 ms");
  assertStringIncludes(error.message, " -S");
});

live("startQemu() reports QEMU's own words when it refuses", async () => {
  const start = () => startBareGuest("none", { extraArgs: ["-no-such-option"] });
  const error = await assertRejects(start, QemuStartError, "-no-such-option: invalid option");
  assertEquals(error.exitCode, 1);
  assertEquals(error.message.includes("\n"), false);
});

/** Compares both ends of every page and the bytes beside it; returns how many addresses. */
async function compareTranslations(
  monitor: RawMonitor,
  tables: PageTableBuilder,
): Promise<number> {
  const addresses = new Set(
    tables.leaves().flatMap(({ va, sizeBytes }) => {
      const end = va + BigInt(sizeBytes);
      return [va - 1n, va, end - 1n, end];
    }),
  );
  let count = 0;
  for (const va of addresses) {
    const expected = va < 0n || va >> 64n ? null : tables.expect(va);
    if (expected === null || expected.outcome === "nonCanonical") continue;
    const [reply] = await monitor.lines(`gva2gpa 0x${va.toString(16)}`);
    const answer = expected.outcome === "mapped"
      ? `gpa: 0x${expected.physicalAddress.toString(16)}`
      : "Unmapped";
    assertEquals(reply, answer, `0x${va.toString(16)}`);
    count++;
  }
  return count;
}

/** Reads through QEMU's own translation what each vCPU must see. */
async function compareSharedPages(
  monitor: RawMonitor,
  { guest }: RunningBareGuest,
  cpu: number,
): Promise<void> {
  const { marker, pages } = guest;
  assertEquals(await text(monitor, marker.va, marker.text.length), marker.text);
  assertEquals(await text(monitor, pages.sharedVa, 6), `vCPU ${cpu}`);
  assertEquals(await text(monitor, pages.privateVa + BigInt(cpu) * 0x1000n, 6), `vCPU ${cpu}`);
  const [other] = await monitor.lines(
    `gva2gpa 0x${(pages.privateVa + BigInt(1 - cpu) * 0x1000n).toString(16)}`,
  );
  assertEquals(other, "Unmapped");
}

async function text(monitor: RawMonitor, va: bigint, length: number): Promise<string> {
  const lines = await monitor.lines(`x /${length}xb 0x${va.toString(16)}`);
  const bytes = lines.flatMap((line) => line.split(": ")[1]!.split(" "));
  return String.fromCharCode(...bytes.map(Number));
}

/** Every word of the tables is in RAM as built: no access has set an A or D bit. */
async function compareMemory(monitor: RawMonitor, { guest }: RunningBareGuest): Promise<number> {
  const pdptes = guest.mode === "pae" ? guest.vcpus.map(({ tables }) => tables!.root) : [];
  const differences: string[] = [];
  let count = 0;
  for (const { address, bytes } of guest.memory.writtenRuns()) {
    const built = new BigUint64Array(bytes.buffer);
    for (let i = 0; i < built.length; i += 512) {
      const page = address + BigInt(i * 8);
      const lines = await monitor.lines(`xp /512gx 0x${page.toString(16)}`);
      const words = lines.flatMap((line) => line.split(": ")[1]!.split(" ").map(BigInt));
      assertEquals(words.length, 512);
      for (const [j, word] of words.entries()) {
        const at = page + BigInt(j * 8);
        const setByTcg = pdptes.includes(at) ? 0x20n : 0n;
        if ((word | setByTcg) !== (built[i + j]! | setByTcg)) {
          differences.push(`${at.toString(16)}: ${word.toString(16)}, built ${built[i + j]}`);
        }
      }
      count += 4096;
    }
  }
  assertEquals(differences, []);
  return count;
}

async function registers(monitor: RawMonitor): Promise<string[]> {
  const reply = (await monitor.lines("info registers -a")).join("\n");
  return reply.split("CPU#").slice(1).map((cpu) => {
    const value = (name: string) => BigInt(`0x${new RegExp(`\\b${name}=(\\w+)`).exec(cpu)![1]}`);
    return ["CR0", "CR3", "CR4", "EFER"].map((name) => `${name}=${value(name).toString(16)}`)
      .join(" ");
  });
}

function expectedRegisters({ guest }: RunningBareGuest): string[] {
  return guest.vcpus.map(({ registers: { cr0, cr3, cr4, efer } }) =>
    Object.entries({ CR0: cr0, CR3: cr3, CR4: cr4, EFER: efer })
      .map(([name, value]) => `${name}=${value.toString(16)}`).join(" ")
  );
}
