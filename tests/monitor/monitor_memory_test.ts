import { assertEquals, assertRejects } from "@std/assert";
import { type MemoryRange, MemoryReadError } from "../../src/memory/physical_memory.ts";
import { MonitorMemory } from "../../src/memory/monitor_memory.ts";
import { replyText } from "./_fixtures.ts";
import { TextMonitor } from "./_text_monitor.ts";

const RAM: MemoryRange[] = [
  { start: 0n, end: 0x2000n, kind: "ram", name: "pc.ram", offset: 0n },
  { start: 0x2000n, end: 0x3000n, kind: "rom", name: "pc.rom", offset: 0n },
];

Deno.test("MonitorMemory reads RAM and ROM", async () => {
  const monitor = new TextMonitor({
    "xp /2gx 0x1ff8": "0000000000001ff8: 0x0807060504030201 0x100f0e0d0c0b0a09",
  });
  const memory = new MonitorMemory(monitor, { ranges: RAM });
  assertEquals(
    await memory.read(0x1ff8n, 16),
    Uint8Array.from({ length: 16 }, (_, i) => i + 1),
  );
});

Deno.test("MonitorMemory sends nothing for what lies outside of RAM", async () => {
  const monitor = new TextMonitor({});
  const memory = new MonitorMemory(monitor, { ranges: RAM });
  for (
    const [address, lengthBytes, hole] of [
      [0x3000n, 8, 0x3000n],
      [0x2ff9n, 8, 0x3000n],
      [0xfee00000n, 4, 0xfee00000n],
    ] as const
  ) {
    const error = await assertRejects(() => memory.read(address, lengthBytes), MemoryReadError);
    assertEquals([error.failure, error.address, error.lengthBytes], [
      "outsideRam",
      hole,
      lengthBytes,
    ]);
  }
  assertEquals(monitor.asked, []);
});

Deno.test("MonitorMemory says from where QEMU could not read", async () => {
  const monitor = new TextMonitor({
    "xp /4gx 0x1000":
      "0000000000001000: 0x0000000000000000 0x0000000000000000\n0000000000001010: Cannot access memory",
  });
  const memory = new MonitorMemory(monitor, { ranges: RAM });
  const error = await assertRejects(() => memory.read(0x1000n, 32), MemoryReadError);
  assertEquals([error.failure, error.address], ["unreadable", 0x1010n]);
});

Deno.test("MonitorMemory asks once where RAM is, again after a failure or refresh()", async () => {
  const maps: string[] = [];
  const monitor = new TextMonitor((line) =>
    line === "info mtree -f" ? maps[0] : "0000000000001000: 0x0000000000000000"
  );
  const memory = new MonitorMemory(monitor);
  await assertRejects(() => memory.read(0x1000n, 8), Error, "no reply");
  maps.push(replyText("11.1.3", "hmp-info_mtree_f"));
  await Promise.all([memory.read(0x1000n, 8), memory.read(0x1000n, 8)]);
  await assertRejects(() => memory.read(0xa0000n, 8), MemoryReadError);
  assertEquals(monitor.asked.filter((line) => line === "info mtree -f").length, 2);
  memory.refresh();
  assertEquals((await memory.ranges()).length, 9);
  assertEquals(monitor.asked.filter((line) => line === "info mtree -f").length, 3);
});

Deno.test("MonitorMemory ends a read with the signal's reason", async () => {
  const monitor = new TextMonitor({});
  const memory = new MonitorMemory(monitor, { ranges: RAM });
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => memory.read(0x1000n, 8, { signal }), Error, "enough");
  assertEquals(monitor.asked, []);
});
