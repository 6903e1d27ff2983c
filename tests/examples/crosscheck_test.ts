import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, formatAddress } from "../../mod.ts";
import { fakeMonitor, simulatedGuest, startBareGuest } from "../../src/testing/mod.ts";
import { dumpGuest, inFolder } from "../dump/_same_walks.ts";
import { checkLines } from "../json/_schema.ts";
import { liveTest } from "../live.ts";
import { netTo, runExample } from "./_run.ts";

Deno.test("crosscheck.ts finds no difference between two connectors to the same guest", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const permissions = netTo(monitor.port);
  const all = await runExample("crosscheck.ts", [`${monitor.port}`, "sim:"], { permissions });
  assertEquals([all.code, all.stderr], [0, ""]);
  assertMatch(
    all.stdout,
    /^\[\+\] \d{3,} addresses by .* and sim:, \d{3,} of them by gva2gpa: no difference\n$/,
  );
  const { neverTouched, cleared } = guest.addresses;
  const addresses = `# two\n${formatAddress(neverTouched)}\n\n${formatAddress(cleared)}\n`;
  const args = [`${monitor.port}`, "sim:", "--file=-", "--freeze"];
  const some = await runExample("crosscheck.ts", args, { permissions, stdin: addresses });
  assertEquals(some.code, 0);
  assertStringIncludes(some.stdout, "[+] 2 addresses");
});

Deno.test("crosscheck.ts lists each address whose entries differ, and exits 1", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const address = guest.addresses.cleared;
  {
    await using session = await connect(monitor.endpoint);
    const leaf = (await session.walk(address)).steps.at(-1)!;
    guest.memory.writeBytes(leaf.address, new Uint8Array([Number(leaf.raw & 0xffn) ^ 4]));
  }
  const args = [`${monitor.port}`, "sim:", formatAddress(address), "0x1000"];
  const permissions = netTo(monitor.port);
  const { code, stdout } = await runExample("crosscheck.ts", args, { permissions });
  assertEquals(code, 1);
  assertMatch(
    stdout,
    /^\[-\] 0x7f1234567000: .* by PT entry 0x\w+7; sim: says .* by PT entry 0x\w+3;/,
  );
  assertMatch(stdout, /\n\[-\] 2 addresses .*: 1 difference\n$/);
  const json = await runExample("crosscheck.ts", [...args, "--json"], { permissions });
  const [record] = checkLines("crosscheck.ts", json.stdout);
  assertEquals([json.code, record.address], [1, "0x7f1234567000"]);
  const raws = [record.first, record.second].map(({ steps }) => BigInt(steps.at(-1).raw));
  assertEquals(raws[0]! ^ raws[1]!, 4n);
  assertEquals(record.qemu, record.first.physicalAddress);
});

Deno.test("crosscheck.ts says why it cannot be done", async () => {
  const none = await runExample("crosscheck.ts", ["sim:", "sim:", "--file=-"], { stdin: "\n" });
  assertEquals(none.code, 3);
  assertStringIncludes(none.stderr, "There is no address to check");
  assertEquals((await runExample("crosscheck.ts", ["sim:"])).code, 3);
});

liveTest(
  "crosscheck.ts finds the one entry that was changed in a dump of a real guest",
  () =>
    inFolder(async (folder) => {
      await using running = await startBareGuest("4-level");
      const path = `${folder}/core`;
      const { sharedVa } = running.guest.pages;
      const permissions = [`--allow-net=127.0.0.1:${running.monitorPort}`, `--allow-read=${path}`];
      const args = [`${running.monitorPort}`, `dump:${path}`];
      let leaf: { address: bigint; raw: bigint };
      {
        await using live = await connect(running.monitorPort);
        await dumpGuest(live, path);
        leaf = (await live.walk(sharedVa)).steps.at(-1)!;
      }
      const same = await runExample("crosscheck.ts", args, { permissions });
      assertEquals([same.code, same.stderr.split(":")[0]], [0, "note"]);
      {
        using file = await Deno.open(path, { read: true, write: true });
        await using dump = await connect(`dump:${path}`);
        const [range] = (dump.memory as unknown as { ranges: { offset: bigint }[] }).ranges;
        await file.seek(leaf.address + range!.offset, Deno.SeekMode.Start);
        await file.write(new Uint8Array([Number(leaf.raw & 0xffn) ^ 4]));
      }
      const { code, stdout } = await runExample("crosscheck.ts", args, { permissions });
      assertEquals(code, 1);
      assertStringIncludes(stdout, `[-] ${formatAddress(sharedVa)}: `);
      assertMatch(stdout, /: 1 difference\n$/);
    }),
);
