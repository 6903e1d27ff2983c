import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { getAvailablePort } from "@std/net";
import { checkFleet, formatAddress, parseEndpoint, permissionFor } from "../../mod.ts";
import { fakeMonitor, simulatedGuest, startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";
import { runExample } from "./_run.ts";

const CLEARED = "0x7f1234567000";

Deno.test("fleet.ts: one row a guest, bad ones among them, and the worst exit code", async () => {
  await using first = fakeMonitor(simulatedGuest());
  await using silent = fakeMonitor(simulatedGuest(), {
    faults: [{ fault: { kind: "silence" }, on: /registers/ }],
  });
  const closed = getAvailablePort();
  const endpoints = [`${first.port}`, `${closed}`, "no such connector", `${silent.port}`, "sim:"];
  const net = [first.port, closed, silent.port].map((port) => `127.0.0.1:${port}`).join(",");
  const run = (...args: string[]) =>
    runExample("fleet.ts", [...args, "--timeout", "5000"], { permissions: [`--allow-net=${net}`] });

  const { code, stdout, stderr } = await run(...endpoints, CLEARED);
  assertEquals([code, stderr], [3, ""]);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.map((line) => / {2}(pass|error) /.exec(line)?.[1]), [
    "pass",
    "error",
    "error",
    "error",
    "pass",
    undefined,
  ]);
  assertStringIncludes(lines[1]!, "refused");
  assertStringIncludes(lines[3]!, "within 5000 ms");
  assertEquals(lines[5], `[-] ${CLEARED}: 2 pass, 3 error`);

  const json = await run(CLEARED, ...endpoints, "--json"); // The address first, as it was once.
  const rows = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(rows.map(({ endpoint }) => endpoint), endpoints);
  assertEquals(rows.map(({ verdict }) => verdict), ["pass", "error", "error", "error", "pass"]);
  assertEquals(rows[1].error.name, "ConnectError");
});

Deno.test("fleet.ts: exit 0, 1 and 2 by the verdicts, endpoints from a file", async () => {
  const { stillSet, neverTouched } = simulatedGuest().addresses;
  const stdin = "# two of them\nsim:\nsim:b # the same\n\n";
  const run = (address: string) => runExample("fleet.ts", [address, "--file=-"], { stdin });
  const pass = await run(CLEARED);
  assertEquals(pass.code, 0);
  assertEquals(pass.stdout.trimEnd().split("\n").at(-1), `[+] ${CLEARED}: 2 pass`);
  assertEquals((await run(formatAddress(stillSet))).code, 1);
  assertEquals((await run(formatAddress(neverTouched))).code, 2);
  const none = await runExample("fleet.ts", [CLEARED]);
  assertEquals(none.code, 3);
  assertStringIncludes(none.stderr, "No guest is named");
});

Deno.test("fleet.ts: names the exact flags for all guests, and those alone suffice", async () => {
  await using first = fakeMonitor(simulatedGuest());
  await using second = fakeMonitor(simulatedGuest(), { scheme: "unix" });
  const args = [CLEARED, `${first.port}`, second.endpoint, "sim:"];
  const refused = await runExample("fleet.ts", args);
  assertEquals(refused.code, 3);
  const flags = /run deno with (.*)\n$/.exec(refused.stderr)?.[1]?.split(" ");
  assertEquals(flags?.length, 3);
  assertMatch(flags!.join(" "), /--allow-net=127\.0\.0\.1:\d+,unix:/);
  const again = await runExample("fleet.ts", args, { permissions: flags! });
  assertEquals([again.code, again.stderr], [0, ""]);
});

Deno.test("permissionFor() names each kind of permission once", () => {
  const endpoints = ["1334", "h:1", "1334", "replay:a,b", "dump:c"].map(parseEndpoint);
  assertEquals(
    permissionFor(...endpoints),
    "--allow-net=127.0.0.1:1334,h:1 --allow-read=a,,b,c",
  );
  assertEquals(permissionFor(), "");
});

Deno.test("checkFleet() asks so many at a time, and not more", async () => {
  let [now, most] = [0, 0];
  const endpoints = Array.from({ length: 12 }, (_, i) => `sim:${i}`);
  const seen: string[] = [];
  for await (
    const row of checkFleet(endpoints, async (_, endpoint) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      return endpoint;
    }, { limit: 3 })
  ) {
    assert("result" in row);
    seen.push(row.result);
  }
  assertEquals([seen, most], [endpoints, 3]);
});

liveTest("fleet.ts: three real guests of different modes", async () => {
  await using a = await startBareGuest("4-level");
  await using b = await startBareGuest("5-level");
  await using c = await startBareGuest("pae");
  const ports = [a, b, c].map(({ monitorPort }) => monitorPort);
  const net = `--allow-net=${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
  for (const { va, leaf } of a.guest.vcpus[0]!.tables!.leaves().slice(0, 3)) {
    const args = [formatAddress(va), ...ports.map(String), "--json", "--cpu", "0"];
    const { stdout, code } = await runExample("fleet.ts", args, { permissions: [net] });
    const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(rows.map(({ mode }) => mode), ["4-level", "5-level", "pae"]);
    assertEquals(rows[0].verdict, leaf.user ? "fail" : "pass");
    assert(code <= 2);
  }
});
