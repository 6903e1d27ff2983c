import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";
import { recorded } from "./_recorded.ts";
import { WireClient } from "./_wire_client.ts";

const BANNER = "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ";
/** Longer than a fake on this machine needs to say something. */
const SILENCE_MS = 60;

Deno.test("fake monitor: TCP, banner and echo", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  assertEquals(monitor.endpoint, `127.0.0.1:${monitor.port}`);
  await using client = await WireClient.tcp(monitor.port);
  assertEquals(await client.untilPrompt(), BANNER);
  assertEquals(
    await client.exchange("xp /2gx 0x1000\n"),
    recorded("7.2", "hmp-xp_2gx_0x1000"),
  );
  assertEquals(monitor.commands, ["xp /2gx 0x1000"]);
});

Deno.test("fake monitor: telnet greets with 12 bytes and takes commands out of its input", async () => {
  await using monitor = fakeMonitor(simulatedGuest(), { scheme: "telnet" });
  assertEquals(monitor.endpoint, `telnet:127.0.0.1:${monitor.port}`);
  await using client = await WireClient.tcp(monitor.port);
  const greeting = "\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00";
  assertEquals(await client.untilPrompt(), greeting + BANNER);
  // A refusal in the midst of a command, and an escaped 0xFF, which the line editor shows.
  assertEquals(await client.command("info\xff\xfe\x01 status"), "VM status: running\n");
  assertEquals(await client.command("foo\xff\xff"), "unknown command: 'foo\xc3\xbf'\n");
});

Deno.test("fake monitor: Unix socket, which is removed at the end", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/monitor.sock`;
  {
    await using monitor = fakeMonitor(simulatedGuest(), { scheme: "unix", path });
    assertEquals(monitor.endpoint, `unix:${path}`);
    await using client = await WireClient.unix(path);
    assertEquals(await client.untilPrompt(), BANNER);
  }
  await Deno.remove(directory); // It would fail if the socket were left there.
  await using elsewhere = fakeMonitor(() => "", { scheme: "unix" });
  const ownPath = elsewhere.endpoint.slice("unix:".length);
  assert((await Deno.stat(ownPath)).isSocket);
  await elsewhere.close();
  await assertRejects(() => Deno.stat(ownPath), Deno.errors.NotFound);
});

Deno.test("fake monitor: a second client hears nothing until the first has left", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  await using first = await WireClient.tcp(monitor.port);
  await first.untilPrompt();
  await using impatient = await WireClient.tcp(monitor.port);
  assert(await impatient.isSilentFor(SILENCE_MS));
  await using second = await WireClient.tcp(monitor.port);
  assertEquals(await first.command("info status"), "VM status: running\n");
  first.close();
  assertEquals(await second.untilPrompt(), BANNER);
  assertEquals(monitor.clients, 3);
});

Deno.test("fake monitor: a half-typed line is dropped on reconnect, and the vCPU is kept", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  {
    await using client = await WireClient.tcp(monitor.port);
    await client.untilPrompt();
    await client.command("cpu 1");
    await client.send("info re");
    await client.atLeast(10);
  }
  await using client = await WireClient.tcp(monitor.port);
  assertEquals(
    await client.untilPrompt() + await client.exchange("info status\n"),
    recorded("7.2", "hmp-reconnect-after-halftyped"),
  );
  const cpus = await client.exchange("info cpus\n");
  assertEquals(cpus, recorded("7.2", "hmp-reconnect-info_cpus"));
});

Deno.test("fake monitor: monitors of one guest each have their own vCPU", async () => {
  const guest = simulatedGuest();
  await using a = fakeMonitor(guest);
  await using b = fakeMonitor(guest);
  await using clientA = await WireClient.tcp(a.port);
  await using clientB = await WireClient.tcp(b.port);
  await clientA.untilPrompt();
  await clientB.untilPrompt();
  await clientA.command("cpu 1");
  assertEquals((await clientA.command("info cpus")).match(/\* CPU #\d/)?.[0], "* CPU #1");
  assertEquals((await clientB.command("info cpus")).match(/\* CPU #\d/)?.[0], "* CPU #0");
  await clientA.command("stop");
  assertEquals(await clientB.command("info status"), "VM status: paused\n");
  assertEquals(guest.running, false);
});

Deno.test("fake monitor: what is typed past 4095 characters is dropped without an echo", async () => {
  await using client = new WireClient(simulatedGuest().transport());
  await client.untilPrompt();
  const line = "x".repeat(4095);
  const reply = await client.exchange(`${line}yyy\n`);
  assert(!reply.includes("y"));
  assert(reply.endsWith(`\x1b[K\r\nunknown command: '${line}'\r\n(qemu) `));
  assertGreater(reply.length, 4095 * 4096 / 2);
});

Deno.test("fake monitor: editing keys", async () => {
  await using client = new WireClient(simulatedGuest().transport());
  await client.untilPrompt();
  assertEquals(await client.command("info stadd\x7f\x08tus"), "VM status: running\n");
  assertEquals(await client.command("info cpus\x17status"), "VM status: running\n");
  assertEquals(await client.command("info \x1b[C\x01\x09\x0bstatus"), "VM status: running\n");
  assertEquals(
    await client.exchange("ab\x7f\n"),
    "a\x1b[K\x1b[Dab\x1b[K\x1b[D\x1b[Da\x1b[K\r\n" +
      "unknown command: 'a'\r\n(qemu) ",
  );
});

Deno.test("fake monitor: quit ends the machine, and its port with it", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  await using client = await WireClient.tcp(monitor.port);
  await client.untilPrompt();
  await client.send("quit\ninfo status\n");
  assertEquals(await client.untilEnd(), recorded("7.2", "hmp-quit"));
  assertEquals(monitor.commands, ["quit"]);
  await assertRejects(() => WireClient.tcp(monitor.port), Deno.errors.ConnectionRefused);
});

Deno.test("fake monitor: a handler answers, later commands wait for it", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  await using monitor = fakeMonitor(
    (command) => command === "slow" ? promise : `<${command}>\n`,
    { version: "9.9.9" },
  );
  await using client = await WireClient.tcp(monitor.port);
  assertEquals(await client.untilPrompt(), BANNER.replace("7.2.22", "9.9.9"));
  await client.send("slow\nfast\n");
  await client.until("slow\x1b[K\r\n");
  resolve("at last\n");
  const rest = await client.until("<fast>\r\n(qemu) ");
  assert(rest.startsWith("at last\r\n(qemu) f"));
  assert(rest.endsWith("fast\x1b[K\r\n<fast>\r\n(qemu) "));
});

Deno.test("fake monitor: closing it ends a client, and it may be closed twice", async () => {
  const monitor = fakeMonitor(simulatedGuest());
  await using client = await WireClient.tcp(monitor.port);
  await client.untilPrompt();
  await monitor.close();
  assertEquals(await client.untilEnd(), "");
  await monitor.close();
  await assertRejects(() => WireClient.tcp(monitor.port), Deno.errors.ConnectionRefused);
});

Deno.test("fake monitor: chunkBytes cuts what it says, in any size", async () => {
  const guest = simulatedGuest();
  for (const chunkBytes of [1, 2, 3, 7, 100]) {
    const transport = guest.transport({ chunkBytes });
    await transport.write(new TextEncoder().encode("info status\n"));
    let longest = 0;
    let text = "";
    while (!text.endsWith("running\r\n(qemu) ")) {
      const bytes = await transport.read();
      longest = Math.max(longest, bytes!.length);
      text += new TextDecoder().decode(bytes!);
    }
    assertEquals(longest, chunkBytes);
    assertEquals(text, BANNER + recorded("7.2", "hmp-info_status"));
    await transport[Symbol.asyncDispose]();
  }
});

Deno.test("fake monitor: perFlush writes each echoed character and each line by itself", async () => {
  const transport = simulatedGuest().transport({ writes: "perFlush" });
  const chunks: string[] = [];
  const until = async (end: string) => {
    while (chunks.at(-1) !== end) chunks.push(new TextDecoder().decode((await transport.read())!));
  };
  await until("(qemu) ");
  await transport.write(new TextEncoder().encode("c\n"));
  chunks.push("");
  await until("(qemu) ");
  await transport.write(new TextEncoder().encode("cpu\n"));
  chunks.push("");
  await until("(qemu) ");
  assertEquals(chunks, [
    "QEMU 7.2.22 monitor - type 'help' for more information\r\n",
    "(qemu) ",
    "",
    "c\x1b[K",
    "\r\n",
    "(qemu) ",
    "",
    "c\x1b[K",
    "\x1b[Dcp\x1b[K",
    "\x1b[D\x1b[Dcpu\x1b[K",
    "\r\n",
    "unexpected end of expression\r\n",
    'Try "help cpu" for more information\r\n',
    "(qemu) ",
  ]);
  await transport[Symbol.asyncDispose]();
});

Deno.test("fake monitor: counts the commands that reach it", async () => {
  const transport = simulatedGuest().transport();
  await using client = new WireClient(transport);
  await client.untilPrompt();
  for (const line of ["xp /2gx 0x1000", " xp /2gx 0x2000", "info status", ""]) {
    await client.exchange(`${line}\n`);
  }
  const { monitor } = transport;
  assertEquals(monitor.commands, ["xp /2gx 0x1000", "xp /2gx 0x2000", "info status"]);
  assertEquals(monitor.count(), 3);
  assertEquals(monitor.count("xp"), 2);
  assertEquals(monitor.count(/0x2000$/), 1);
  assertEquals(monitor.count("gva2gpa"), 0);
  assertEquals(monitor.clients, 1);
});

Deno.test("in-process transport: closing it ends a pending read", async () => {
  const transport = simulatedGuest().transport();
  assertEquals([transport.name, transport.isTcp], ["sim:", false]);
  await transport.read();
  const pending = transport.read();
  transport.close();
  transport.close();
  assertEquals(await pending, null);
  await assertRejects(() => transport.write(Uint8Array.of(1)), Deno.errors.BrokenPipe);
  await transport[Symbol.asyncDispose]();
});

Deno.test({
  name: "in-process transport: needs no permission at all",
  permissions: "none",
  fn: async () => {
    const transport = simulatedGuest().transport();
    await using client = new WireClient(transport);
    assertEquals(await client.untilPrompt(), BANNER);
    assertEquals(await client.command("info status"), "VM status: running\n");
    await transport[Symbol.asyncDispose]();
  },
});
