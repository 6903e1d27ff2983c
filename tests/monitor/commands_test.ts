import { assertEquals, assertRejects } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { examineMemory } from "../../src/monitor/commands/examine_memory.ts";
import { readMemoryMap, readStatus } from "../../src/monitor/commands/read_state.ts";
import { readTlb } from "../../src/monitor/commands/read_tlb.ts";
import { readAllRegisters, readRegisters } from "../../src/monitor/commands/registers.ts";
import { translateByQemu } from "../../src/monitor/commands/translate_by_qemu.ts";
import { NoSuchCpuError, ReplyParseError } from "../../src/monitor/errors.ts";
import { replyText, VERSIONS } from "./_fixtures.ts";
import { TextMonitor } from "./_text_monitor.ts";

for (const version of VERSIONS) {
  const monitor = () =>
    new TextMonitor({
      "info registers": replyText(version, "hmp-info_registers"),
      "info registers -a": replyText(version, "hmp-info_registers_a"),
      "info cpus": replyText(version, "hmp-info_cpus"),
      "info status": replyText(version, "hmp-info_status-paused"),
      "info mtree -f": replyText(version, "hmp-info_mtree_f"),
      "info tlb": replyText(version, "la57-info_tlb-first40"),
      "gva2gpa 0x10": replyText(version, "hmp-gva2gpa_0x10"),
      "gva2gpa 0xffffffff81000123": replyText(version, "hmp-gva2gpa_0xffffffff81000123"),
    });

  Deno.test(`the typed commands read ${version}`, async () => {
    assertEquals((await readRegisters(monitor())).cpu, 0);
    assertEquals((await readRegisters(monitor(), { cpu: 1 })).cpu, 1);
    assertEquals((await readAllRegisters(monitor())).map((one) => one.cpu), [0, 1]);
    assertEquals((await readMemoryMap(monitor())).length, 9);
    assertEquals((await readStatus(monitor())).running, false);
    assertEquals((await readTlb(monitor(), { allowUnsafe: ["info tlb"] }))?.length, 40);
    assertEquals(await translateByQemu(monitor(), 0x10), null);
    assertEquals(await translateByQemu(monitor(), "0xffff_ffff_8100_0123"), 0x1000123n);
  });

  Deno.test(`readRegisters() says that ${version} has no such vCPU`, async () => {
    const error = await assertRejects(
      () => readRegisters(monitor(), { cpu: 2 }),
      NoSuchCpuError,
      "no vCPU 2, only 0, 1",
    );
    assertEquals([error.cpu, error.endpoint], [2, "test:0"]);
  });
}

Deno.test("readRegisters() asks for the number of the vCPU only where QEMU prints none", async () => {
  const old = new TextMonitor({
    "info registers": replyText("5.2.0", "hmp-info_registers"),
    "info cpus": "  CPU #0: thread_id=1\n* CPU #1: thread_id=2",
  });
  assertEquals((await readRegisters(old)).cpu, 1);
  assertEquals(old.asked, ["info registers", "info cpus"]);
  const newer = new TextMonitor({ "info registers": replyText("7.2.22", "hmp-info_registers") });
  assertEquals((await readRegisters(newer)).cpu, 0);
  assertEquals(newer.asked, ["info registers"]);
});

/** A guest whose memory holds at each address its low byte, and nothing from `end` on. */
function counting(end: bigint): TextMonitor {
  return new TextMonitor((line) => {
    const [, count, unit, hex] = /^xp \/(\d+)([gb])x (0x[0-9a-f]+)$/.exec(line)!;
    const sizeBytes = unit === "g" ? 8 : 1;
    const perRow = unit === "g" ? 2 : 8;
    const rows: string[] = [];
    for (let i = 0; i < Number(count); i += perRow) {
      const row = BigInt(hex!) + BigInt(i * sizeBytes);
      const values = Math.min(perRow, Number(count) - i);
      const address = row.toString(16).padStart(16, "0");
      if (row + BigInt(values * sizeBytes) > end) {
        rows.push(`${address}: Cannot access memory`);
        break;
      }
      const digits = Array.from({ length: values }, (_, v) => {
        const at = Number(row & 0xffn) + v * sizeBytes;
        const value = Array.from({ length: sizeBytes }, (_, b) => (at + b) & 0xff).reverse();
        return ` 0x${value.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
      });
      rows.push(`${address}:${digits.join("")}`);
    }
    return rows.join("\n");
  });
}

function expected(address: bigint, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => Number(address & 0xffn) + i);
}

Deno.test("examineMemory() reads any range in the fewest commands", async () => {
  for (
    const [address, lengthBytes, asked] of [
      [0x1000n, 8, ["xp /1gx 0x1000"]],
      [0x1000n, 4096, ["xp /512gx 0x1000"]],
      [0x1003n, 13, ["xp /1gx 0x1003", "xp /5bx 0x100b"]],
      [0x1fffn, 3, ["xp /3bx 0x1fff"]],
      [0x1000n, 0, []],
      [0x1000n, 65537, ["xp /4096gx 0x1000", "xp /4096gx 0x9000", "xp /1bx 0x11000"]],
    ] as const
  ) {
    const monitor = counting(1n << 64n);
    const dump = await examineMemory(monitor, address, lengthBytes);
    assertEquals(dump, { bytes: expected(address, lengthBytes), unreadableFrom: null });
    assertEquals(monitor.asked, [...asked]);
  }
});

Deno.test("examineMemory() keeps what came before an unreadable row, and sends no more", async () => {
  const monitor = counting(0x9010n);
  const dump = await examineMemory(monitor, 0x1000, 0x10000);
  assertEquals(dump, { bytes: expected(0x1000n, 0x8010), unreadableFrom: 0x9010n });
  assertEquals(monitor.asked.length, 2);
});

Deno.test("examineMemory() refuses a range that is none, and a reply that is no dump", async () => {
  const monitor = counting(1n << 64n);
  for (
    const [address, lengthBytes] of [[0n, -1], [0n, 1.5], [0xffff_ffff_ffff_fff8n, 9]] as const
  ) {
    await assertRejects(() => examineMemory(monitor, address, lengthBytes), InvalidArgumentError);
  }
  assertEquals(monitor.asked, []);
  const other = new TextMonitor(() => "invalid char 'z' in expression");
  await assertRejects(() => examineMemory(other, 0, 8), ReplyParseError, "invalid char");
});
