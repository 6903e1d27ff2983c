import { assert, assertEquals, assertRejects } from "@std/assert";
import { MonitorMemory } from "../../src/memory/monitor_memory.ts";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";
import { examineMemory } from "../../src/monitor/commands/examine_memory.ts";
import { readMemoryMap, readStatus } from "../../src/monitor/commands/read_state.ts";
import { readTlb } from "../../src/monitor/commands/read_tlb.ts";
import { readAllRegisters, readRegisters } from "../../src/monitor/commands/registers.ts";
import { translateByQemu } from "../../src/monitor/commands/translate_by_qemu.ts";
import {
  ConnectionLostError,
  MonitorError,
  NoBannerError,
  NoSuchCpuError,
  UnknownCommandError,
  WrongPeerError,
} from "../../src/monitor/errors.ts";
import { connectHmp } from "../../src/monitor/connect_monitor.ts";
import { liveTest, QEMU } from "../live.ts";
import { LiveQemu } from "./_qemu.ts";

const CONNECTORS = ["tcp", "telnet", "unix", "telnet seen on a tcp endpoint"] as const;

function endpointOf(qemu: LiveQemu, connector: typeof CONNECTORS[number]): string {
  return connector === "telnet seen on a tcp endpoint"
    ? qemu.endpoints.telnet.replace("telnet:", "")
    : qemu.endpoints[connector];
}

for (const connector of CONNECTORS) {
  liveTest(`QEMU over ${connector}: every command, and memory as it was loaded`, async () => {
    await using qemu = await LiveQemu.start();
    await using monitor = await connectHmp(endpointOf(qemu, connector));
    assertEquals(monitor.qemuVersion, QEMU?.version);
    assertEquals((await readStatus(monitor)).running, false);
    assertEquals((await readRegisters(monitor)).rip, 0xfff0n);
    assertEquals((await readRegisters(monitor, { cpu: 1 })).cpu, 1);
    assertEquals((await readAllRegisters(monitor)).map((one) => one.cpu), [0, 1]);
    await assertRejects(() => readRegisters(monitor, { cpu: 2 }), NoSuchCpuError);
    assertEquals(await readTlb(monitor, { allowUnsafe: ["info tlb"] }), null);
    assertEquals(await translateByQemu(monitor, 0x1234), 0x1234n);

    const memory = new MonitorMemory(monitor);
    for (
      const [offset, lengthBytes] of [[0, 8], [0, 4096], [1, 65_535], [4093, 6], [77, 1]] as const
    ) {
      assertEquals(
        await memory.read(LiveQemu.blockAddress + BigInt(offset), lengthBytes),
        qemu.block.subarray(offset, offset + lengthBytes),
      );
    }
    await assertRejects(() => memory.read(0xfee00000n, 4), MemoryReadError, "outside");
    assertEquals(
      (await readMemoryMap(monitor)).find((range) => range.start === 0x100000n)?.end,
      0x4000000n,
    );
    const end = await examineMemory(monitor, 0x3fffff0, 32);
    assertEquals([end.bytes.length, end.unreadableFrom], [16, 0x4000000n]);
  });

  liveTest(
    `QEMU over ${connector}: overlapping, aborted and late callers get their own replies`,
    async () => {
      await using qemu = await LiveQemu.start();
      const options = { commandTimeoutMs: 120_000 };
      await using monitor = await connectHmp(endpointOf(qemu, connector), options);
      const reads = Array.from({ length: 64 }, (_, i) => {
        const controller = new AbortController();
        const at = LiveQemu.blockAddress + BigInt(i * 1000);
        const read = examineMemory(monitor, at, 1000, { signal: controller.signal });
        if (i % 5 === 0) setTimeout(() => controller.abort(), i / 4);
        return read;
      });
      const late = monitor.command("info mtree -f", { timeoutMs: 1 });
      const outcomes = await Promise.allSettled([...reads, late]);
      let compared = 0;
      for (const [i, outcome] of outcomes.slice(0, -1).entries()) {
        if (outcome.status === "rejected") continue;
        assertEquals(
          (outcome.value as { bytes: Uint8Array }).bytes,
          qemu.block.subarray(i * 1000, (i + 1) * 1000),
        );
        compared++;
      }
      assert(compared >= 51, `only ${compared} replies came`);
      assertEquals((await readStatus(monitor)).running, false);
    },
  );
}

liveTest(
  "QEMU over tcp: a command with the nudge does not wait for a delayed acknowledgement",
  async () => {
    await using qemu = await LiveQemu.start();
    const timesOf = async (nudge: boolean, commands: number) => {
      await using monitor = await connectHmp(qemu.endpoints.tcp, { nudge });
      const times: number[] = [];
      for (let i = 0; i < commands; i++) {
        const started = performance.now();
        await monitor.command("xp /1gx 0x1000");
        times.push(performance.now() - started);
      }
      // A connection's first packets are acknowledged at once.
      return times.slice(commands >> 1).sort((a, b) => a - b);
    };
    // The quickest against what is usual: no machine is too busy for all of a hundred commands, and none
    // so quick that it does not wait 40 ms for an acknowledgement.
    const nudgedMs = (await timesOf(true, 201))[0]!;
    const patientMs = (await timesOf(false, 41))[10]!;
    console.log(`  ${nudgedMs.toFixed(1)} ms, without the nudge ${patientMs.toFixed(1)} ms`);
    assert(nudgedMs < patientMs / 2, `${nudgedMs} ms, without the nudge ${patientMs} ms`);
  },
);

liveTest("QEMU: a command for another vCPU leaves the monitor's own as it was", async () => {
  await using qemu = await LiveQemu.start();
  await using monitor = await connectHmp(qemu.endpoints.tcp);
  const header = async (cpu?: number) =>
    (await monitor.command("info registers", cpu === undefined ? {} : { cpu })).trim().split(
      "\n",
    )[0];
  if ((await header())?.startsWith("CPU#")) {
    assertEquals([await header(), await header(1), await header()], ["CPU#0", "CPU#1", "CPU#0"]);
  }
  await assertRejects(() => monitor.command("info registers", { cpu: 9 }), NoSuchCpuError);
  assert((await monitor.command("info cpus")).startsWith("* CPU #0"));
});

liveTest("QEMU: what it does not know, and the end of it", async () => {
  await using qemu = await LiveQemu.start();
  const allowUnsafe = ["bogus", "quit"];
  await using monitor = await connectHmp(qemu.endpoints.tcp, { allowUnsafe });
  await assertRejects(() => monitor.command("bogus"), UnknownCommandError, monitor.qemuVersion);
  await assertRejects(() => monitor.command("info bogus"), UnknownCommandError, '"info bogus"');
  await assertRejects(() => monitor.command("quit"), ConnectionLostError, "QEMU quit");
});

liveTest("QEMU: a second client is told of the first, and served after it", async () => {
  await using qemu = await LiveQemu.start();
  const first = await connectHmp(qemu.endpoints.tcp);
  const options = { bannerTimeoutMs: 200 };
  await assertRejects(
    () => connectHmp(qemu.endpoints.tcp, options),
    NoBannerError,
    "another client",
  );
  await first.close();
  await using second = await connectHmp(qemu.endpoints.tcp);
  assertEquals((await readStatus(second)).running, false);
});

liveTest(
  "QEMU: a client that leaves in mid-reply leaves the monitor fit for the next",
  async () => {
    await using qemu = await LiveQemu.start();
    for (let i = 0; i < 3; i++) {
      const monitor = await connectHmp(qemu.endpoints.tcp);
      const unread = assertRejects(
        () => examineMemory(monitor, 0x100000, 0x400000),
        ConnectionLostError,
        "was closed",
      );
      await new Promise((resolve) => setTimeout(resolve, 10 * i));
      await monitor.close();
      await unread;
    }
    await using next = await connectHmp(qemu.endpoints.tcp);
    assertEquals(
      (await examineMemory(next, LiveQemu.blockAddress, 4096)).bytes,
      qemu.block.subarray(0, 4096),
    );
  },
);

liveTest("QEMU: the QMP and gdb ports are told from a monitor", async () => {
  await using qemu = await LiveQemu.start([]);
  const qmp = await assertRejects(() => connectHmp(qemu.endpoints.qmp), WrongPeerError, "QMP");
  assertEquals(qmp.peer, "QMP");
  {
    // Once a command is answered, all ports are open.
    await using monitor = await connectHmp(qemu.endpoints.tcp);
    assertEquals((await readStatus(monitor)).running, true);
  }
  // The stub greets a running guest's debugger up to 7.2 at least, and says nothing from 10.0 on.
  const gdb = await assertRejects(
    () => connectHmp(qemu.endpoints.gdb, { bannerTimeoutMs: 500 }),
    MonitorError,
    "gdb",
  );
  assert(gdb instanceof WrongPeerError || gdb instanceof NoBannerError);
});
