/** Each thing that goes wrong for a user ends in one line that says what to do, and exit 3. */
import { assertEquals, assertMatch } from "@std/assert";
import { getAvailablePort } from "@std/net";
import { fakeMonitor, type MonitorFault, simulatedGuest } from "../../src/testing/mod.ts";
import { netTo, runExample } from "./_run.ts";

async function errorOf(args: string[], permissions: string[] = []): Promise<string> {
  const { code, stderr } = await runExample("qemu_verify_pte.ts", args, { permissions });
  assertEquals(code, 3, stderr);
  const [line, ...more] = stderr.trimEnd().split("\n");
  assertEquals(more.filter((other) => !other.startsWith("Try: ")), []);
  return line!;
}

Deno.test("usage: missing, extra, unknown and unusable arguments", async () => {
  assertMatch(await errorOf([]), /^error: Missing argument <monitor>: 1334, /);
  assertMatch(await errorOf(["sim:"]), /^error: Missing argument <virtual_address>/);
  assertMatch(await errorOf(["sim:", "0x1", "0x2"]), /^error: Too many arguments: 0x2$/);
  assertMatch(
    await errorOf(["sim:", "0x1", "--jsno"]),
    /^error: Unknown option --jsno: did you mean --json\? The options are/,
  );
  assertMatch(await errorOf(["sim:", "7f12zz"]), /^error: Not an address: "7f12zz"/);
  assertMatch(
    await errorOf(["sim:", "0x1", "--cpu", "x"]),
    /^error: --cpu: it must be a whole number/,
  );
  assertMatch(await errorOf(["99999", "0x1"]), /^error: Not a port: "99999"/);
  assertMatch(await errorOf(["a b:1", "0x1"]), /^error: Not a host name or address/);
  assertMatch(await errorOf(["sim:", "0x1", "--cpu", "7"]), /vCPU 7/);
});

Deno.test("usage: --debug-port names the monitor, 100 above", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  const args = ["--debug-port", `${monitor.port - 100}`, "0x7f1234567000"];
  const { code, stdout } = await runExample("qemu_verify_pte.ts", args, {
    permissions: netTo(monitor.port),
  });
  assertEquals(code, 0);
  assertMatch(stdout, new RegExp(`Connected to QEMU monitor at 127\\.0\\.0\\.1:${monitor.port}\n`));
});

Deno.test("permission: the exact flag is named", async () => {
  const line = await errorOf(["1334", "0x1"]);
  assertMatch(line, /^error: No permission .* run deno with --allow-net=127\.0\.0\.1:1334$/);
});

Deno.test("connection: nothing listens", async () => {
  const port = getAvailablePort();
  const line = await errorOf([`${port}`, "0x1"], netTo(port));
  assertMatch(
    line,
    /refused: is QEMU running, with -monitor tcp:127\.0\.0\.1:\d+,server=on,wait=off\?/,
  );
  assertMatch(line, /debug port \+ 100/);
});

Deno.test("connection: another client holds the monitor", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  using first = await Deno.connect({ hostname: "127.0.0.1", port: monitor.port });
  await first.read(new Uint8Array(64));
  const line = await errorOf([`${monitor.port}`, "0x1"], netTo(monitor.port));
  assertMatch(line, /another client probably holds the monitor/);
});

Deno.test("connection: the port speaks something else", async () => {
  const peers: [string, string][] = [
    ["$T02thread:01;#04", "gdbstub"],
    ["HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"],
    ["SSH-2.0-OpenSSH_9.2\r\n", "SSH"],
  ];
  for (const [bytes, name] of peers) {
    const fault: MonitorFault = { kind: "raw", bytes };
    await using monitor = fakeMonitor(simulatedGuest(), { faults: [{ fault, on: "connect" }] });
    assertMatch(await errorOf([`${monitor.port}`, "0x1"], netTo(monitor.port)), new RegExp(name));
  }
});

Deno.test("connection: QEMU quits in mid-command", async () => {
  const fault: MonitorFault = { kind: "close", afterBytes: 20 };
  await using monitor = fakeMonitor(simulatedGuest(), { faults: [{ fault, on: /registers/ }] });
  const line = await errorOf([`${monitor.port}`, "0x1"], netTo(monitor.port));
  assertMatch(line, /^error: No reply to "info registers( -a)?": .*QEMU quit/);
});

Deno.test("command: too late, or unknown to this QEMU", async () => {
  const silent: MonitorFault = { kind: "silence" };
  await using monitor = fakeMonitor(simulatedGuest(), {
    faults: [{ fault: silent, on: /registers/ }],
  });
  const args = [`${monitor.port}`, "0x1", "--timeout", "5000"];
  assertMatch(await errorOf(args, netTo(monitor.port)), /within 5000 ms/);
  const unknown = await runExample("monitor.ts", ["sim:", "info bogus"]);
  assertEquals(unknown.code, 3);
  assertMatch(unknown.stderr, /^error: QEMU 7\.2\.22 .* has no monitor command "info bogus"/);
});
