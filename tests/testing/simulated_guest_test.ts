import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import {
  type PageTableMode,
  type SimulatedGuest,
  simulatedGuest,
  type SimulatedGuestOptions,
} from "../../src/testing/mod.ts";
import { SeededRandom } from "../../src/testing/simulated_guest_random.ts";
import { tlbRow } from "../bare_guest/_tlb_row.ts";

const MODES: PageTableMode[] = ["4-level", "5-level", "pae", "32-bit"];
const GUESTS: SimulatedGuestOptions[] = [
  ...MODES.map((mode) => ({ mode })),
  { mode: "4-level", kpti: true, pcid: true },
  { mode: "5-level", kpti: true },
];

function tablesOf(guest: SimulatedGuest) {
  return guest.process("target").tables!;
}

/** What the builder says of an address of `target`: `outcome@level`, or the rights of the page. */
function summary(guest: SimulatedGuest, address: bigint | null): string | null {
  if (address === null) return null;
  const found = tablesOf(guest).expect(address);
  if (found.outcome === "nonCanonical") return found.outcome;
  if (found.outcome !== "mapped") return `${found.outcome}@${found.level}`;
  const { size, leaf, effective, decidedBy } = found.leaf;
  const user = `${leaf.user ? "U" : "u"}${effective.user ? "U" : "u"}${decidedBy.user}`;
  return `${size} ${user} ${effective.writable ? "w" : "-"}${effective.executable ? "x" : "-"}`;
}

function summaries(guest: SimulatedGuest): Record<string, string | null> {
  const { dmaBuffer: _, ...addresses } = guest.addresses;
  return Object.fromEntries(
    Object.entries(addresses).map(([name, address]) => [name, summary(guest, address)]),
  );
}

Deno.test("simulated guest, 4-level: each address is what its name says", () => {
  const guest = simulatedGuest();
  assertEquals(guest.addresses.cleared, 0x7f12_3456_7000n);
  assertEquals(summaries(guest), {
    cleared: "4K uu1 w-",
    stillSet: "4K UU1 w-",
    parentCleared: "4K Uu2 w-",
    grandparentCleared: "4K Uu3 w-",
    readOnly: "4K UU1 --",
    executable: "4K UU1 -x",
    writable: "4K UU1 w-",
    neverTouched: "notPresent@1",
    protNone: "notPresent@1",
    swapped: "notPresent@1",
    protectionKey: "4K UU1 w-",
    reservedBit: "reservedBits@1",
    deviceMemory: "4K UU1 w-",
    largePage: "2M UU2 w-",
    hugePage: "1G UU3 w-",
    corruptTable: "unreadable@2",
    unmapped: "notPresent@4",
    nonCanonical: "nonCanonical",
    programText: "4K UU1 -x",
    stack: "4K UU1 w-",
    kernelText: "2M uu2 -x",
    directMap: "2M uu2 w-",
  });
});

Deno.test("simulated guest: the other modes keep the names", () => {
  const wide = summaries(simulatedGuest());
  assertEquals(summaries(simulatedGuest({ mode: "5-level" })), {
    ...wide,
    // All of user space that a 47-bit program has hangs on one entry of the root.
    unmapped: "notPresent@4",
  });
  const narrow = {
    ...wide,
    grandparentCleared: null,
    protectionKey: null,
    hugePage: null,
    nonCanonical: null,
    corruptTable: "unreadable@1",
    unmapped: "notPresent@2",
  };
  assertEquals(summaries(simulatedGuest({ mode: "pae" })), narrow);
  assertEquals(summaries(simulatedGuest({ mode: "32-bit" })), {
    ...narrow,
    // No NX in 32-bit paging, and pages of 4 MiB.
    cleared: "4K uu1 wx",
    stillSet: "4K UU1 wx",
    parentCleared: "4K Uu2 wx",
    readOnly: "4K UU1 -x",
    writable: "4K UU1 wx",
    deviceMemory: "4K UU1 wx",
    stack: "4K UU1 wx",
    reservedBit: null,
    largePage: "4M UU2 wx",
    kernelText: "4M uu2 -x",
    directMap: "4M uu2 wx",
  });
});

Deno.test("simulated guest: in every mode exactly pages 0 to 15 of the buffer have U clear", () => {
  for (const options of GUESTS) {
    const guest = simulatedGuest(options);
    const { start, lengthBytes, clearedPages } = guest.addresses.dmaBuffer;
    assertEquals([lengthBytes, clearedPages], [1 << 20, 16]);
    const frames = new Set<bigint>();
    for (let page = 0; page < 256; page++) {
      const found = tablesOf(guest).expect(start + BigInt(page) * 0x1000n);
      assert(found.outcome === "mapped");
      assertEquals(found.leaf.leaf.user, page >= 16, `page ${page}`);
      frames.add(found.physicalAddress);
      const label = guest.memory.readBytes(found.physicalAddress, 16);
      assert(new TextDecoder().decode(label).startsWith(`DMA page ${page}\n`));
    }
    assertEquals(frames.size, 256);
  }
});

Deno.test("simulated guest: non-present entries are Linux's", () => {
  for (const mode of MODES) {
    const guest = simulatedGuest({ mode });
    const tables = tablesOf(guest);
    const { neverTouched, protNone, swapped } = guest.addresses;
    assertEquals(tables.entry(neverTouched, 1), 0n);
    const none = tables.entry(protNone, 1);
    assertEquals(none & 0x101n, 0x100n);
    const frame = (mode === "32-bit" ? none : ~none) & 0xf_ffff_ffff_f000n;
    assert(frame >= 0x1000_0000n && frame < 0x1020_0000n, frame.toString(16));
    const swap = tables.entry(swapped, 1);
    assertEquals(swap & 0x101n, 0n);
    const offset = mode === "32-bit" ? swap >> 9n : BigInt.asUintN(50, ~(swap >> 9n));
    assertEquals(offset, 0x1234n);
    assertEquals(mode === "32-bit" ? swap >> 1n & 0x1fn : swap >> 59n, 1n);
  }
});

for (const options of GUESTS) {
  const name = `${options.mode}${options.kpti ? " with KPTI" : ""}`;
  Deno.test(`simulated guest, ${name}: info tlb lists the builder's leaves`, () => {
    const guest = simulatedGuest(options);
    const { reservedBit } = guest.addresses;
    // QEMU lists what has reserved bits set, the builder calls it a fault.
    const rows = guest.command("info tlb").split("\n").slice(0, -1)
      .filter((row) => reservedBit === null || BigInt(`0x${row.slice(0, 16)}`) !== reservedBit);
    assertEquals(rows, tablesOf(guest).leaves().map(tlbRow));
    assertGreater(rows.length, 300);
  });

  Deno.test(`simulated guest, ${name}: gva2gpa agrees with the builder`, () => {
    const guest = simulatedGuest(options);
    const tables = tablesOf(guest);
    const random = new SeededRandom(7);
    const leaves = tables.leaves();
    const { dmaBuffer: _, reservedBit, ...named } = guest.addresses;
    const addresses = Object.values(named).filter((address) => address !== null);
    const wide = options.mode === "4-level" || options.mode === "5-level";
    for (let i = 0; i < 500; i++) {
      addresses.push(wide ? random.word() : random.word() & 0xffff_ffffn);
      const leaf = leaves[random.below(leaves.length)]!;
      addresses.push(BigInt.asUintN(64, leaf.va + BigInt(random.below(leaf.sizeBytes * 2))));
    }
    for (const address of addresses) {
      if (reservedBit !== null && address >> 12n === reservedBit >> 12n) continue;
      const found = tables.expect(address);
      const expected = found.outcome === "mapped"
        ? `gpa: 0x${found.physicalAddress.toString(16)}\n`
        : "Unmapped\n";
      assertEquals(guest.command(`gva2gpa 0x${address.toString(16)}`), expected);
    }
  });
}

Deno.test("simulated guest: with paging off addresses are physical", () => {
  const guest = simulatedGuest({ mode: "none" });
  assertEquals(guest.command("info tlb"), "PG disabled\n");
  assertEquals(guest.command("gva2gpa 0x12345"), "gpa: 0x12345\n");
  assertEquals(guest.command("x /1gx 0xfffffff0"), guest.command("xp /1gx 0xfffffff0"));
  assertEquals(guest.registers(0).cr0 >> 31n, 0n);
});

Deno.test("simulated guest: the same seed gives the same bytes, another seed other frames", () => {
  const bytes = (seed: number) => simulatedGuest({ seed }).memory.writtenRuns();
  assertEquals(bytes(3), bytes(3));
  assertNotEquals(bytes(3), bytes(4));
  const frame = (seed: number) => {
    const guest = simulatedGuest({ seed });
    return guest.command(`gva2gpa ${guest.addresses.cleared}`);
  };
  assertNotEquals(frame(3), frame(4));
  assertEquals(simulatedGuest({ seed: 3 }).addresses, simulatedGuest({ seed: 4 }).addresses);
  assertEquals(
    simulatedGuest({ seed: 3 }).command("info registers -a"),
    simulatedGuest({ seed: 3 }).command("info registers -a"),
  );
});

Deno.test("simulated guest: an entry can be changed while the guest runs", () => {
  const guest = simulatedGuest();
  const { stillSet } = guest.addresses;
  const row = () =>
    guest.command("info tlb").split("\n").find((line) =>
      line.startsWith(stillSet.toString(16).padStart(16, "0"))
    );
  assert(row()!.endsWith("X--DA--UW"));
  tablesOf(guest).setRights(stillSet, 1, { user: false });
  assert(row()!.endsWith("X--DA---W"));
});

/** CR3 of every vCPU, as `info registers -a` shows it. */
function shownRoots(guest: SimulatedGuest): bigint[] {
  return [...guest.command("info registers -a").matchAll(/CR3=([0-9a-f]+)/g)]
    .map(([, digits]) => BigInt(`0x${digits}`));
}

Deno.test("simulated guest: vCPU 0 runs target and vCPU 1 idles, unless told otherwise", () => {
  const guest = simulatedGuest();
  const roots = [guest.process("target").root, guest.process("idle").root];
  for (let i = 0; i < 3; i++) assertEquals(shownRoots(guest), roots);
  assertEquals([guest.registers(0).cpl, guest.registers(0).halted], [3, false]);
  assertEquals([guest.registers(1).cpl, guest.registers(1).halted], [0, true]);
  guest.run(1, "other");
  guest.run(0, "idle");
  assertEquals(shownRoots(guest), [guest.process("idle").root, guest.process("other").root]);
  assertThrows(() => guest.run(2, "idle"), InvalidArgumentError, "No such vCPU: 2");
  assertThrows(() => guest.registers(-1), InvalidArgumentError, "No such vCPU: -1");
});

Deno.test("simulated guest: a schedule goes on with each command that shows registers", () => {
  const guest = simulatedGuest({ schedule: [["idle", "idle", "target"], ["other", "idle"]] });
  const name = (root: bigint) => guest.processes.find((process) => process.root === root)!.name;
  const seen = () => shownRoots(guest).map(name);
  assertEquals(seen(), ["idle", "other"]);
  assertEquals(guest.command("info cpus").length > 0, true); // Not a tick.
  assertEquals(seen(), ["idle", "idle"]);
  // Each of these is one tick, whichever vCPU it asks for.
  assertStringIncludes(guest.command("info registers 0"), "CPL=3");
  assertEquals(seen(), ["idle", "idle"]);
  assertEquals(seen(), ["idle", "other"]);
  assertEquals(guest.registers(0).cr3, guest.process("target").root);
  assertEquals(guest.registers(0).cr3, guest.process("target").root);
  guest.tick();
  assertEquals(seen(), ["idle", "other"]);
});

Deno.test("simulated guest: no time passes while the machine is stopped", () => {
  const guest = simulatedGuest({ schedule: [["idle", "target"]] });
  guest.command("stop");
  const stopped = shownRoots(guest);
  assertEquals(shownRoots(guest), stopped);
  assertEquals(guest.running, false);
  guest.command("cont");
  assertEquals(shownRoots(guest), stopped);
  assertNotEquals(shownRoots(guest), stopped);
});

Deno.test("simulated guest: a vCPU that was never started", () => {
  const guest = simulatedGuest({ schedule: [["target"], ["off"]] });
  guest.command("cpu 1");
  const text = guest.command("info registers");
  for (const part of ["CR3=00000000 ", "HLT=1", "EIP=0000fff0", "CR0=60000010", "XMM07="]) {
    assertStringIncludes(text, part);
  }
  assertEquals(guest.command("info tlb"), "PG disabled\n");
});

Deno.test("simulated guest: a KPTI pair", () => {
  for (const mode of ["4-level", "5-level"] as const) {
    const guest = simulatedGuest({ mode, kpti: true });
    const { root, userRoot } = guest.process("target");
    assertEquals(userRoot, root + 0x1000n);
    assertEquals(root % 0x2000n, 0n);
    assertEquals(guest.registers(0).cr3, userRoot);
    const { kernelText, cleared } = guest.addresses;
    assertEquals(summary(guest, cleared), "4K uu1 w-");
    assertEquals(guest.command(`gva2gpa ${kernelText}`), "Unmapped\n");
    assertEquals(guest.command("gva2gpa 0xfffffe0000001000"), "gpa: 0x2828000\n");
    // The kernel's half has all user entries, with NX, and the whole kernel.
    for (let offset = 0n; offset < 0x800n; offset += 8n) {
      const user = guest.memory.readU64(userRoot! + offset);
      const kernel = guest.memory.readU64(root + offset);
      assertEquals(kernel, user === 0n ? 0n : user | 1n << 63n);
    }
    assertEquals(
      guest.memory.readBytes(root + 0x800n, 0x800),
      guest.memory.readBytes(guest.process("idle").root + 0x800n, 0x800),
    );
    assertEquals(guest.process("idle").userRoot, null);
  }
});

Deno.test("simulated guest: PCIDs in CR3", () => {
  const guest = simulatedGuest({ pcid: true });
  const { cr3, cr4 } = guest.registers(0);
  assertEquals(cr4 >> 17n & 1n, 1n);
  assertEquals(cr3 & ~0xfffn, guest.process("target").root);
  assertNotEquals(cr3 & 0xfffn, 0n);
  const isolated = simulatedGuest({ pcid: true, kpti: true }).registers(0);
  assertEquals(isolated.cr3 >> 11n & 1n, 1n);
});

Deno.test("simulated guest: options that a mode does not have", () => {
  for (const mode of ["pae", "32-bit", "none"] as const) {
    assertThrows(() => simulatedGuest({ mode, kpti: true }), InvalidArgumentError, mode);
    assertThrows(() => simulatedGuest({ mode, pcid: true }), InvalidArgumentError, "pcid");
  }
});

Deno.test("simulated guest: reads that reach a device are counted", () => {
  const guest = simulatedGuest();
  guest.command("info mtree -f");
  guest.command("info tlb");
  guest.command("xp /512gx 0x1000");
  guest.command(`x /2gx ${guest.addresses.corruptTable}`);
  assertEquals(guest.deviceReads, []);
  guest.command("xp /1gx 0xfed00000");
  guest.command(`x /1wx ${guest.addresses.deviceMemory}`);
  assertEquals(guest.deviceReads, [
    { device: "hpet", address: 0xfed0_0000n, lengthBytes: 8 },
    { device: "edid", address: 0xfebf_0000n, lengthBytes: 4 },
  ]);
});

Deno.test("simulated guest: its ranges are the memory of info mtree -f", () => {
  const guest = simulatedGuest();
  const shown = guest.command("info mtree -f").split("\n\n")
    .find((view) => view.includes(' AS "memory", root: system'))!.split("\n")
    .flatMap((line) => {
      const [, start, last, kind, name, offset] =
        /^ {2}([0-9a-f]{16})-([0-9a-f]{16}) \(prio \d+, (ram|rom)\): (\S+)(?: @([0-9a-f]+))?$/
          .exec(line) ?? [];
      return start === undefined ? [] : [{
        start: BigInt(`0x${start}`),
        end: BigInt(`0x${last}`) + 1n,
        kind: kind as "ram" | "rom",
        name: name!,
        offset: BigInt(`0x${offset ?? "0"}`),
      }];
    });
  assertEquals(shown, [...guest.ranges]);
  assertEquals(shown.at(-1), {
    start: 1n << 32n,
    end: 5n << 30n,
    kind: "ram",
    name: "pc.ram",
    offset: 3n << 30n,
  });
});
