import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  connectHmp,
  MonitorError,
  NoBannerError,
  readStatus,
  WrongPeerError,
} from "../../mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { liveTest, QEMU } from "../live.ts";

const MOD = new URL("../../mod.ts", import.meta.url).href;

async function start() {
  const guest = await startBareGuest("4-level", { gdb: true });
  const monitor = await connectHmp(`${guest.monitorPort}`);
  return {
    gdb: `gdb:${guest.gdbPort}`,
    gdbPort: guest.gdbPort!,
    monitor,
    isRunning: async () => (await readStatus(monitor)).running,
    async [Symbol.asyncDispose]() {
      await monitor.close();
      await guest[Symbol.asyncDispose]();
    },
  };
}

liveTest("the gdbstub's guest is paused while connected, and runs on after", async () => {
  await using guest = await start();
  {
    await using session = await connect(guest.gdb);
    assertStringIncludes(session.notice ?? "", "pauses the guest");
    assertEquals(await guest.isRunning(), false);
    const { cr3 } = await session.registers(0);
    assertEquals((await session.memory.read(cr3 & ~0xfffn, 4096)).length, 4096);
  }
  assertEquals(await guest.isRunning(), true);
});

liveTest("a guest that was paused before stays paused, where QEMU tells", async () => {
  await using guest = await start();
  await guest.monitor.command("stop", { allowUnsafe: ["stop"] });
  const before8 = parseInt(guest.monitor.qemuVersion) < 8;
  await using session = await connect(guest.gdb);
  await session.close();
  assertEquals(await guest.isRunning(), !before8);
});

liveTest("a script that ends, fails or is killed lets the guest run on", async () => {
  await using guest = await start();
  const ends: [code: string, signal?: Deno.Signal][] = [
    [""], // It never closes the session.
    ["await using session = guest; throw new Error('on purpose');"],
    ["setInterval(() => {}, 1000);", "SIGINT"],
    ["setInterval(() => {}, 1000);", "SIGTERM"],
    ["setInterval(() => {}, 1000);", "SIGHUP"],
    ["guest.memory.read(0x1000n, 1 << 20).catch(() => {}); Deno.exit(1);"],
  ];
  for (const [code, signal] of ends) {
    const script = `import { connect } from ${JSON.stringify(MOD)};
      const guest = await connect("${guest.gdb}");
      await guest.registers();
      console.log("ready");
      ${code}`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", script],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = child.stdout.getReader();
    await output.read(); // ready
    if (signal !== undefined) {
      assertEquals(await guest.isRunning(), false);
      child.kill(signal);
    }
    while (!(await output.read()).done) {
      // Until it has ended.
    }
    await child.status;
    assertEquals(await guest.isRunning(), true, code || "a script that ends");
  }
});

liveTest("after a SIGKILL the next connection says that the guest is paused", async () => {
  await using guest = await startBareGuest("4-level", { gdb: true, qmp: true });
  const script = `import { connect } from ${JSON.stringify(MOD)};
    const guest = await connect("gdb:${guest.gdbPort}");
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = child.stdout.getReader();
  await output.read(); // ready
  child.kill("SIGKILL");
  while (!(await output.read()).done) {
    // Until it has ended.
  }
  await child.status;
  for (const endpoint of [`${guest.monitorPort}`, `qmp:${guest.qmpPort}`]) {
    const notices: string[] = [];
    await using session = await connect(endpoint, { onNotice: (text) => notices.push(text) });
    await session.walk(0x1000n);
    assertEquals(notices.length, 1, endpoint);
    assertStringIncludes(notices[0]!, "the guest is paused");
    assertStringIncludes(notices[0]!, '"cont"');
  }
  const before8 = parseInt(QEMU!.version) < 8;
  await using again = await connect(`gdb:${guest.gdbPort}`);
  assertStringIncludes(again.notice ?? "", before8 ? "was paused before" : "pauses the guest");
});

liveTest(
  "a second client of a gdbstub is told so, and does not leave the guest paused",
  async () => {
    await using guest = await start();
    {
      await using _first = await connect(guest.gdb);
      await assertRejects(() => connect(guest.gdb, { bannerTimeoutMs: 100 }), NoBannerError);
    }
    // QEMU takes the second connection only now, and pauses the guest for it.
    await new Promise((resolve) => setTimeout(resolve, 200));
    assertEquals(await guest.isRunning(), true);
  },
);

liveTest("a human-monitor client that meets a gdbstub lets the guest run on", async () => {
  await using guest = await start();
  const peer = await assertRejects(
    () => connectHmp(`${guest.gdbPort}`, { bannerTimeoutMs: 200 }),
    MonitorError,
  );
  const greets = parseInt(guest.monitor.qemuVersion) < 8;
  assert(peer instanceof (greets ? WrongPeerError : NoBannerError), String(peer));
  assertStringIncludes(peer.message, "gdbstub");
  if (peer instanceof WrongPeerError) assertEquals(await guest.isRunning(), true);
});
