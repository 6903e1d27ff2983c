/** QEMU is killed while commands wait for their replies. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectionLostError, MonitorError } from "../../mod.ts";
import { liveTest } from "../live.ts";
import { orHangs } from "./_attempt.ts";
import { openAt, SOCKET_CONNECTORS, startBehind } from "./_socket_connectors.ts";

for (const connector of SOCKET_CONNECTORS) {
  liveTest(`${connector.name}: a QEMU that is killed ends what waits`, async () => {
    await using behind = await startBehind(connector);
    await using session = await openAt(connector, behind.address);
    const { process } = behind.guest;
    await session.registers(0);
    // Stopped first, so that none of them can have its reply before it is killed.
    Deno.kill(process.pid, "SIGSTOP");
    const waiting = [
      ...Array.from({ length: 8 }, () => session.registers(0)),
      ...Array.from({ length: 8 }, (_, i) => session.memory.read(BigInt(i) * 8n, 8)),
      ...Array.from({ length: 24 }, () => session.monitor.command("info status")),
    ];
    const outcomes = Promise.allSettled(waiting);
    await process.kill();
    for (const outcome of await orHangs(outcomes, connector.name)) {
      assert(outcome.status === "rejected", "answered by a QEMU that was stopped");
      assert(outcome.reason instanceof ConnectionLostError, String(outcome.reason));
      assert(outcome.reason.message.includes("QEMU quit"), outcome.reason.message);
    }
    await assertRejects(() => session.registers(0), ConnectionLostError);
    await orHangs(session.close(), connector.name);
    const error = await assertRejects(() => openAt(connector, behind.address), MonitorError);
    assert(/refused|No socket/.test(error.message), error.message);
  });
}

for (const connector of SOCKET_CONNECTORS.filter(({ scheme }) => scheme === "unix")) {
  liveTest(`a RAM file beside ${connector.name} outlives a QEMU that is killed`, async () => {
    await using behind = await startBehind(connector);
    const ram = [behind.guest.memoryFile!];
    await using session = await openAt(connector, behind.address, { ram });
    const { cr3 } = await session.registers(0);
    const before = await session.memory.read(cr3 & ~0xfffn, 4096);
    await behind.guest.process.kill();
    assertEquals(await session.memory.read(cr3 & ~0xfffn, 4096), before);
    // Registers and ROM are asked of the monitor.
    await assertRejects(() => session.registers(0), ConnectionLostError);
    await assertRejects(() => session.memory.read(0xffff_0000n, 8), ConnectionLostError);
    await orHangs(session.close(), connector.name);
  });
}
