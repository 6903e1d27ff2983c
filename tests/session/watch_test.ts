import { assert, assertEquals } from "@std/assert";
import { connect, type WatchEvent } from "../../mod.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";

Deno.test("watch() yields the first walk, then each change with the bits that flipped", async () => {
  const guest = simulatedGuest();
  const { tables } = guest.process("target");
  const { stillSet, neverTouched } = guest.addresses;
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  const steps = [
    () => tables!.setRights(stillSet, 1, { user: false }),
    () => tables!.setRights(stillSet, 2, { writable: false }),
    () => tables!.change(stillSet, 1, () => 0n),
  ];
  const seen: string[] = [];
  for await (const { walk, changes } of session.watch(stillSet, { intervalMs: 1, cpu: 0 })) {
    const flips = changes.map(({ name, fields }) =>
      `${name} ${fields.map((f) => `${f.linuxName ?? f.name} ${f.before > 0n}->${f.after > 0n}`)}`
    );
    seen.push(`${walk.outcome}: ${flips.join("; ").slice(0, 60)}`);
    const next = steps.shift();
    if (!next) break;
    next();
  }
  assertEquals(seen.slice(0, 3), [
    "mapped: ",
    "mapped: PT _PAGE_USER true->false",
    "mapped: PD _PAGE_RW true->false",
  ]);
  assert(seen[3]!.startsWith("notPresent: PT _PAGE_PRESENT true->false"), seen[3]);
  assert(neverTouched > 0n);
});

Deno.test("watch() keeps to the table that it began with, whatever the vCPU runs", async () => {
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  await using session = await connect(monitor.endpoint);
  const events: WatchEvent[] = [];
  for await (const event of session.watch(guest.addresses.stillSet, { intervalMs: 1 })) {
    events.push(event);
    if (events.length === 2) break;
    guest.run(0, "idle");
    guest.process("target").tables!.setRights(guest.addresses.stillSet, 1, { user: false });
  }
  assertEquals(events.map(({ walk }) => walk.root), [
    guest.process("target").root,
    guest.process("target").root,
  ]);
});

Deno.test("watch() ends quietly when its signal says so", async () => {
  await using session = await connect("sim:");
  const stop = new AbortController();
  let events = 0;
  for await (
    const _ of session.watch(0x7f1234567000n, { signal: stop.signal, intervalMs: 60_000 })
  ) {
    events++;
    setTimeout(() => stop.abort(), 5);
  }
  assertEquals(events, 1);
});
