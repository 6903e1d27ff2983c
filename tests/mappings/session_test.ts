import { assert, assertEquals } from "@std/assert";
import { connect } from "../../src/session/connect.ts";

const PAGE = 0x7f12_3456_7000n;

Deno.test("Session.mappings() holds the page that walk() finds, and aliases() leads back to it", async () => {
  await using guest = await connect("sim:");
  const found = await guest.walk(PAGE);
  assert(found.outcome === "mapped");
  const records = await Array.fromAsync(
    guest.mappings({ start: PAGE, lengthBytes: 4096 }, { pages: true }),
  );
  const [page] = records;
  assert(records.length === 1 && page?.kind === "mapping");
  assertEquals([page.address, page.physicalAddress], [PAGE, found.physicalAddress]);
  assertEquals([page.leaf, page.effective], [found.leaf, found.effective]);
  const addresses = [];
  for await (const alias of guest.aliases(found.physicalAddress)) {
    if (alias.kind === "alias") addresses.push(alias.address);
  }
  assert(addresses.includes(PAGE), addresses.join());
});

Deno.test("Session.access() judges by the tables that the options choose", async () => {
  await using guest = await connect("sim:");
  const byUser = await guest.access(PAGE, { cpl: 3 });
  assert(byUser.outcome === "pageFault");
  assertEquals(byUser.error, { code: 5, bits: ["P", "U/S"] });
  assertEquals((await guest.access(PAGE, {}, { cpu: 0 })).outcome, "ok");
});

Deno.test("Session.verifyRange() says whose table it judged by", async () => {
  await using guest = await connect("sim:");
  const { root } = await guest.walk(PAGE);
  const verdict = await guest.verifyRange(PAGE, 4096, { user: true }, { root });
  assertEquals([verdict.verdict, verdict.source, verdict.root], ["fail", { kind: "root" }, root]);
});
