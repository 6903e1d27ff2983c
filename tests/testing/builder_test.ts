import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import {
  PageTableBuilder,
  type PageTableMode,
  registersFor,
} from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

function memory(): SparseMemory {
  return new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
}

function build(mode: PageTableMode, options = {}): PageTableBuilder {
  return new PageTableBuilder(mode, memory(), { tablesAt: 0x10_0000n, ...options });
}

const MODES: PageTableMode[] = ["32-bit", "pae", "4-level", "5-level"];

// Worked by hand from the SDM's figures: indices and entries of one address in each mode.
Deno.test("map() writes the entries that the SDM's figures ask for", () => {
  const rights = { user: true, writable: true, accessed: true, dirty: true, noExecute: true };
  const va = 0x7f12_3456_7000n;
  const four = build("4-level").map(va, 0x1234_5000n, "4K", rights);
  assertEquals(four.root, 0x10_0000n);
  assertEquals(four.entryAddress(va, 4), 0x10_0000n + 254n * 8n);
  assertEquals(four.entry(va, 4), 0x10_1007n);
  assertEquals(four.entryAddress(va, 3), 0x10_1000n + 72n * 8n);
  assertEquals(four.entryAddress(va, 2), 0x10_2000n + 418n * 8n);
  assertEquals(four.entryAddress(va, 1), 0x10_3000n + 359n * 8n);
  assertEquals(four.entry(va, 1), 0x8000_0000_1234_5067n);
  assertEquals(four.memory.readU64(0x10_3b38n), 0x8000_0000_1234_5067n);

  const kernel = 0xff12_3456_789a_b000n;
  const five = build("5-level").map(kernel, 0x9_8765_4000n, "4K", { protectionKey: 11 });
  const indices = five.leaves()[0]!.path.map(({ index }) => index);
  assertEquals(indices, [0x112, 0x068, 0x159, 0x1c4, 0x1ab]);
  assertEquals(five.entry(kernel, 1), 0x5800_0009_8765_4001n);

  const pae = build("pae").map(0xc123_4000n, 0xa_bcde_f000n, "4K", { pat: true, global: true });
  assertEquals(pae.root, 0x10_07a0n);
  assertEquals(pae.entryAddress(0xc123_4000n, 3), 0x10_07a0n + 3n * 8n);
  assertEquals(pae.entry(0xc123_4000n, 3), 0x10_1001n, "a PDPTE has no R/W and no U/S");
  assertEquals(pae.entryAddress(0xc123_4000n, 2), 0x10_1000n + 9n * 8n);
  assertEquals(pae.entry(0xc123_4000n, 1), 0xa_bcde_f181n);

  const two = build("32-bit").map(0xc123_4000n, 0xfedc_b000n, "4K", { pcd: true, pwt: true });
  assertEquals(two.entryAddress(0xc123_4000n, 2), 0x10_0000n + 0x304n * 4n);
  assertEquals(two.entryAddress(0xc123_4000n, 1), 0x10_1000n + 0x234n * 4n);
  assertEquals(two.entry(0xc123_4000n, 1), 0xfedc_b019n);
});

Deno.test("map() encodes large pages, PSE-36 and the PAT bit of a large page", () => {
  const pse = build("32-bit").map(0x40_0000n, 0xab_1240_0000n, "4M", { pat: true });
  // Address bits 39:32 = 0xab in bits 20:13, PAT in bit 12, PS in bit 7.
  assertEquals(pse.entry(0x40_0000n, 2), 0x1240_0000n | (0xabn << 13n) | 0x1081n);
  assertEquals(pse.leaves()[0]!.pa, 0xab_1240_0000n);

  const huge = build("4-level").map(0x8000_0000n, 0x40_0000_0000n, "1G", { pat: true });
  assertEquals(huge.entry(0x8000_0000n, 3), 0x40_0000_1081n);
  const large = build("pae").map(0x20_0000n, 0x1_0020_0000n, "2M", { noExecute: true });
  assertEquals(large.entry(0x20_0000n, 2), 0x8000_0001_0020_0081n);
  assertEquals(large.leaves()[0]!.sizeBytes, 0x20_0000);
});

Deno.test("setRights() of a level shows in effective rights, not in the leaf's", () => {
  for (const mode of MODES) {
    const levels = mode === "pae" ? [2, 1] : build(mode).map(0n, 0n, "4K").leaves()[0]!.path
      .map(({ level }) => level);
    for (const level of levels) {
      const builder = build(mode).map(0x5000n, 0x6000n, "4K", { user: true, writable: true })
        .setRights(0x5000n, level, { user: false, writable: false });
      if (mode !== "32-bit") builder.setRights(0x5000n, level, { noExecute: true });
      const [leaf] = builder.leaves();
      assertEquals(leaf!.leaf.user, level !== 1, `${mode} level ${level}`);
      assertEquals(leaf!.effective.user, false);
      assertEquals(leaf!.effective.writable, false);
      assertEquals(leaf!.effective.executable, mode === "32-bit");
      assertEquals(leaf!.deniedBy.user, [level]);
      assertEquals(leaf!.decidedBy, {
        user: level,
        writable: level,
        executable: mode === "32-bit" ? 1 : level,
      });
    }
  }
});

Deno.test("decidedBy names the first level from the root that denies", () => {
  const builder = build("4-level").map(0n, 0n, "4K", {}).setRights(0n, 3, { user: false });
  const [leaf] = builder.leaves();
  assertEquals(leaf!.deniedBy, { user: [3, 1], writable: [1], executable: [] });
  assertEquals(leaf!.decidedBy, { user: 3, writable: 1, executable: 1 });
});

Deno.test("expect() tells absent, reserved, unreadable and non-canonical apart", () => {
  const builder = build("4-level").map(0x1000n, 0x2000n, "4K");
  const at = (va: bigint) => {
    const expected = builder.expect(va);
    return [expected.outcome, "level" in expected ? expected.level : null];
  };
  assertEquals(at(0x1fffn), ["mapped", null]);
  assertEquals(at(0x2000n), ["notPresent", 1]);
  assertEquals(at(0x20_0000n), ["notPresent", 2]);
  assertEquals(at(0x80_0000_0000n), ["notPresent", 4]);
  assertEquals(at(0x8000_0000_0000n), ["nonCanonical", null]);
  builder.change(0x40_0000n, 2, () => 0x40_1083n); // bit 12 is PAT, bit 13 and up are reserved
  assertEquals(at(0x40_0000n), ["mapped", null]);
  builder.change(0x40_0000n, 2, (raw) => raw | (1n << 13n));
  assertEquals(at(0x40_0000n), ["reservedBits", 2]);
  builder.change(0x60_0000n, 2, () => 0x4000_0003n); // the first byte after RAM
  assertEquals(at(0x60_0000n), ["unreadable", 1]);
  builder.change(0n, 4, (raw) => raw | 0x80n);
  assertEquals(at(0x1000n), ["reservedBits", 4]);
});

Deno.test("bit 63 is reserved while NXE is clear", () => {
  const builder = build("4-level", { nxEnabled: false }).map(0n, 0n, "4K")
    .map(0x1000n, 0x1000n, "4K", { noExecute: true });
  assertEquals(builder.leaves().length, 1);
  assertEquals(builder.expect(0x1000n).outcome, "reservedBits");
});

Deno.test("bits 2:1 of a PAE PDPTE are reserved, bit 5 is not since QEMU's TCG sets it", () => {
  const builder = build("pae").map(0n, 0n, "4K").change(0n, 3, (raw) => raw | 0x20n);
  assertEquals(builder.expect(0n).outcome, "mapped");
  builder.change(0n, 3, (raw) => raw | 2n);
  assertEquals(builder.expect(0n).outcome, "reservedBits");
});

Deno.test("leaves() returns exactly what was mapped, sign-extended and in order", () => {
  const builder = build("5-level")
    .map(0xffff_ffff_8100_0000n, 0x20_0000n, "2M", { global: true, protectionKey: 3 })
    .map(0xff00_0000_0000_0000n, 0x4000_0000n, "1G", { noExecute: true })
    .map(0xff_ffff_ffff_f000n, 0x3000n, "4K", { user: true });
  assertEquals(builder.leaves().map(({ va, pa, size }) => [va, pa, size]), [
    [0xff_ffff_ffff_f000n, 0x3000n, "4K"],
    [0xff00_0000_0000_0000n, 0x4000_0000n, "1G"],
    [0xffff_ffff_8100_0000n, 0x20_0000n, "2M"],
  ]);
  assertEquals(builder.leaves()[2]!.leaf.protectionKey, 3);
});

Deno.test("map() refuses what the mode cannot hold", () => {
  const refused: [PageTableMode, (builder: PageTableBuilder) => unknown][] = [
    ["32-bit", (b) => b.map(0n, 0n, "2M")],
    ["pae", (b) => b.map(0n, 0n, "1G")],
    ["4-level", (b) => b.map(0x8000_0000_0000n, 0n, "4K")],
    ["4-level", (b) => b.map(0x1000n, 0n, "2M")],
    ["4-level", (b) => b.map(0n, 1n << 40n, "4K")],
    ["32-bit", (b) => b.map(0n, 1n << 32n, "4K")],
    ["32-bit", (b) => b.map(0n, 0n, "4K", { noExecute: true })],
    ["pae", (b) => b.map(0n, 0n, "4K", { protectionKey: 1 })],
    ["pae", (b) => b.map(0n, 0n, "4K").setRights(0n, 3, { user: true })],
    ["4-level", (b) => b.map(0n, 0n, "4K").map(0n, 0x1000n, "4K")],
    ["4-level", (b) => b.map(0n, 0n, "2M").map(0x1000n, 0x1000n, "4K")],
    ["4-level", (b) => b.map(0n, 0n, "4K").entry(0n, 5)],
  ];
  for (const [mode, act] of refused) {
    assertThrows(() => act(build(mode)), InvalidArgumentError);
  }
});

Deno.test("registersFor() sets the control bits of each mode", () => {
  const facts = Object.fromEntries(MODES.map((mode) => {
    const { cr0, cr3, cr4, efer } = registersFor(build(mode));
    return [mode, [cr0, cr3, cr4, efer].map((value) => value.toString(16))];
  }));
  assertEquals(facts, {
    "32-bit": ["80010011", "100000", "90", "0"],
    "pae": ["80010011", "1007a0", "a0", "800"],
    "4-level": ["80010011", "100000", "a0", "d00"],
    "5-level": ["80010011", "100000", "10a0", "d00"],
  });
  const { cr3, cr4 } = registersFor(build("4-level"), { pcid: 5, protectionKeys: true });
  assertEquals([cr3, cr4], [0x10_0005n, 0x4200a0n]);
});

Deno.test("SparseMemory rejects reads that leave its ranges, and joins written pages", async () => {
  const sparse = new SparseMemory({
    ranges: [ramRange(0n, 0x3000n), ramRange(0x1_0000_0000n, 0x1_0000_1000n, 0x3000n)],
  });
  sparse.writeBytes(0xffen, new Uint8Array([1, 2, 3, 4]));
  sparse.writeU32(0x1_0000_0ffcn, 0x89ab_cdefn);
  assertEquals([...await sparse.read(0xffdn, 6)], [0, 1, 2, 3, 4, 0]);
  assertEquals(
    sparse.writtenRuns().map(({ address, bytes }) => [address, bytes.length]),
    [[0n, 8192], [0x1_0000_0000n, 4096]],
  );
  assertEquals(sparse.readU32(0x1_0000_0ffcn), 0x89ab_cdefn);
  const failure = await sparse.read(0x2ff9n, 8).then(() => null, (error) => error);
  assert(failure !== null);
  assertEquals([failure.name, failure.failure, failure.address], [
    "MemoryReadError",
    "outsideRam",
    0x3000n,
  ]);
  assertThrows(() => sparse.writeU64(0x2ffcn, 1n), InvalidArgumentError);
});
