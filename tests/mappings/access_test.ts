/** access() against a table written from the SDM by hand: every right, gate and error code. */
import { assertEquals, assertThrows } from "@std/assert";
import { CR0, CR4 } from "../../src/arch/x86/control_bits.ts";
import { pagingContext, type PagingContextOptions } from "../../src/arch/x86/paging_context.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { type Access, access } from "../../src/arch/x86/access.ts";
import { walk } from "../../src/translate/walk.ts";
import type { EntryRights } from "../../src/testing/expected_translation.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

const VA = 0x7f12_3456_7000n;

interface Setting {
  cr4?: bigint;
  writeProtect?: boolean;
  nxEnabled?: boolean;
  change?: (raw: bigint) => bigint;
  address?: bigint;
  options?: PagingContextOptions;
}

async function verdict(
  rights: EntryRights,
  wanted: Access,
  setting: Setting = {},
): Promise<string> {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
  const { nxEnabled = true, writeProtect = true } = setting;
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n, nxEnabled });
  tables.map(VA, 0x5000n, "4K", rights);
  if (setting.change) tables.change(VA, 1, setting.change);
  const registers = registersFor(tables, { writeProtect });
  const context = pagingContext(
    { ...registers, cr4: registers.cr4 | (setting.cr4 ?? 0n) },
    { physicalAddressBits: 40, ...setting.options },
  );
  const found = await walk(memory, context, setting.address ?? VA);
  const result = access(found, context, wanted);
  if (result.outcome !== "pageFault") return result.outcome;
  return `${result.error.code} ${result.error.bits.join(" ")}`;
}

const USER = { cpl: 3 };
const U = { user: true };
const UW = { user: true, writable: true };
const W = { writable: true };
const NX = { noExecute: true };

const TABLE: [string, EntryRights, Access, string, Setting?][] = [
  ["a user read of a user page", U, USER, "ok"],
  ["a user write of a writable user page", UW, { ...USER, write: true }, "ok"],
  ["a user fetch of a user page", U, { ...USER, fetch: true }, "ok"],
  ["a user read of a supervisor page", W, USER, "5 P U/S"],
  ["a user write of a supervisor page", W, { ...USER, write: true }, "7 P W/R U/S"],
  ["a user write of a read-only page", U, { ...USER, write: true }, "7 P W/R U/S"],
  ["a user fetch with NX", { ...U, ...NX }, { ...USER, fetch: true }, "21 P U/S I/D"],
  ["a user fetch of a supervisor page", {}, { ...USER, fetch: true }, "21 P U/S I/D"],
  ["without NXE and SMEP no I/D", {}, { ...USER, fetch: true }, "5 P U/S", { nxEnabled: false }],
  ["with SMEP alone I/D", {}, { ...USER, fetch: true }, "21 P U/S I/D", {
    nxEnabled: false,
    cr4: CR4.SMEP,
  }],
  ["a supervisor read", {}, {}, "ok"],
  ["ring 1 is the supervisor", {}, { cpl: 1 }, "ok"],
  ["a supervisor write of a read-only page, WP", {}, { write: true }, "3 P W/R"],
  ["a supervisor write of a read-only page, no WP", {}, { write: true }, "ok", {
    writeProtect: false,
  }],
  ["a user write of a read-only page, no WP", U, { ...USER, write: true }, "7 P W/R U/S", {
    writeProtect: false,
  }],
  ["a supervisor fetch with NX", NX, { fetch: true }, "17 P I/D"],
  ["a supervisor fetch of a user page", U, { fetch: true }, "ok"],
  ["SMEP", U, { fetch: true }, "17 P I/D", { cr4: CR4.SMEP }],
  ["SMEP lets user mode fetch", U, { ...USER, fetch: true }, "ok", { cr4: CR4.SMEP }],
  ["SMAP", UW, {}, "1 P", { cr4: CR4.SMAP }],
  ["SMAP, a write", UW, { write: true }, "3 P W/R", { cr4: CR4.SMAP }],
  ["SMAP lifted by AC", UW, { write: true, alignmentCheck: true }, "ok", { cr4: CR4.SMAP }],
  ["SMAP on a supervisor page", W, { write: true }, "ok", { cr4: CR4.SMAP }],
  ["SMAP does not apply to fetches", U, { fetch: true }, "ok", { cr4: CR4.SMAP }],
  ["SMAP without WP", UW, { write: true }, "3 P W/R", { cr4: CR4.SMAP, writeProtect: false }],
  [
    "key 5, access disabled",
    { ...UW, protectionKey: 5 },
    { ...USER, pkru: 1 << 10 },
    "37 P U/S PK",
    {
      cr4: CR4.PKE,
    },
  ],
  [
    "key 15, writes disabled",
    { ...UW, protectionKey: 15 },
    {
      ...USER,
      write: true,
      pkru: 0x8000_0000,
    },
    "39 P W/R U/S PK",
    { cr4: CR4.PKE },
  ],
  [
    "key 15, writes disabled, a read",
    { ...UW, protectionKey: 15 },
    { ...USER, pkru: 0x8000_0000 },
    "ok",
    {
      cr4: CR4.PKE,
    },
  ],
  [
    "keys do not apply to fetches",
    { ...U, protectionKey: 5 },
    {
      ...USER,
      fetch: true,
      pkru: 1 << 10,
    },
    "ok",
    { cr4: CR4.PKE },
  ],
  ["another key", { ...UW, protectionKey: 4 }, { ...USER, pkru: 1 << 10 }, "ok", { cr4: CR4.PKE }],
  ["keys without PKE", { ...UW, protectionKey: 5 }, { ...USER, pkru: 1 << 10 }, "ok"],
  ["PKRU does not apply to supervisor pages", { ...W, protectionKey: 5 }, { pkru: 1 << 10 }, "ok", {
    cr4: CR4.PKE,
  }],
  [
    "PKRU applies to the supervisor on user pages",
    { ...UW, protectionKey: 5 },
    { pkru: 1 << 10 },
    "33 P PK",
    {
      cr4: CR4.PKE,
    },
  ],
  [
    "PKRU write-disable needs WP for the supervisor",
    { ...UW, protectionKey: 5 },
    {
      write: true,
      pkru: 2 << 10,
    },
    "ok",
    { cr4: CR4.PKE, writeProtect: false },
  ],
  ["PKRS", { ...W, protectionKey: 2 }, { pkrs: 1 << 4 }, "33 P PK", { cr4: CR4.PKS }],
  ["PKRS, a write", { ...W, protectionKey: 2 }, { write: true, pkrs: 2 << 4 }, "35 P W/R PK", {
    cr4: CR4.PKS,
  }],
  [
    "a key and a missing right",
    { user: true, protectionKey: 5 },
    {
      ...USER,
      write: true,
      pkru: 2 << 10,
    },
    "39 P W/R U/S PK",
    { cr4: CR4.PKE },
  ],
  ["not present", UW, { ...USER, write: true }, "6 W/R U/S", { change: (raw) => raw & ~1n }],
  ["reserved bits", UW, USER, "13 P U/S RSVD", { change: (raw) => raw | 1n << 45n }],
  ["NX without NXE is reserved", UW, USER, "13 P U/S RSVD", {
    nxEnabled: false,
    change: (raw) => raw | 1n << 63n,
  }],
  ["an address that is none", UW, USER, "generalProtection", { address: 0x8000_0000_0000n }],
  ["another page", UW, {}, "0 ", { address: VA + 0x1000n }],
];

for (const [name, rights, wanted, expected, setting] of TABLE) {
  Deno.test(`access(): ${name}`, async () => {
    assertEquals(await verdict(rights, wanted, setting), expected);
  });
}

Deno.test("access() takes a right away wherever a level does", async () => {
  for (const level of [4, 3, 2]) {
    const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
    const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x1000n });
    tables.map(VA, 0x5000n, "4K", { user: true, writable: true });
    tables.setRights(VA, level, { user: false, writable: false, noExecute: true });
    const context = pagingContext(registersFor(tables));
    const found = await walk(memory, context, VA);
    for (
      const [wanted, code] of [[{ cpl: 3 }, 5], [{ write: true }, 3], [
        { fetch: true },
        17,
      ]] as const
    ) {
      const result = access(found, context, wanted);
      assertEquals(result.outcome === "pageFault" && result.error.code, code);
    }
  }
});

Deno.test("access(): tables outside RAM say nothing, nor do tables that are not there", async () => {
  const memory = new SparseMemory({ ranges: [] });
  const on = pagingContext({ cr0: CR0.PG, cr3: 0x1000n, cr4: CR4.PAE, efer: 0x500n });
  assertEquals(access(await walk(memory, on, VA), on).outcome, "unknown");
  const off = pagingContext({ cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n });
  const result = access(await walk(memory, off, 0x1234n), off, { cpl: 3, write: true });
  assertEquals(result, { outcome: "unknown", reason: "paging is off (CR0.PG=0)" });
});

Deno.test("access() refuses what is no access", async () => {
  const memory = new SparseMemory({ ranges: [] });
  const context = pagingContext({ cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n });
  const found = await walk(memory, context, 0n);
  assertThrows(() => access(found, context, { cpl: 4 }), InvalidArgumentError, "it is 4");
  assertThrows(() => access(found, context, { write: true, fetch: true }), InvalidArgumentError);
});
