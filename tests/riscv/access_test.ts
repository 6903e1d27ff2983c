import { assertEquals, assertThrows } from "@std/assert";
import { type RiscvAccess, riscvAccess, riscvAccessOn } from "../../src/arch/riscv/access.ts";
import { riscvRegime } from "../../src/arch/riscv/regime.ts";
import { RiscvPageTables } from "../../src/testing/riscv_page_tables.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { walk } from "../../src/translate/walk.ts";

/** What comes of an access to a page whose entry has these bits: `ok`, or the number in `scause`. */
async function outcome(bits: string, access: RiscvAccess): Promise<string | number> {
  const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
  const tables = new RiscvPageTables("Sv39", memory, 0x8010_0000n);
  tables.map(0x1000n, 0x8080_0000n, 0, { bits });
  const found = await walk(memory, riscvRegime("Sv39", tables.root), 0x1000n);
  const verdict = riscvAccess(found, access);
  return verdict.outcome === "pageFault" ? verdict.error.code : verdict.outcome;
}

const U: RiscvAccess = { privilege: "U" };
const S: RiscvAccess = { privilege: "S" };
const SUM: RiscvAccess = { privilege: "S", sum: true };

const CASES: [bits: string, access: RiscvAccess, expected: string | number][] = [
  ["VRWAD", U, 13],
  ["VRWAD", { ...U, write: true }, 15],
  ["VRWXAD", { ...U, fetch: true }, 12],
  ["VRWUAD", U, "ok"],
  ["VRWUAD", { ...U, write: true }, "ok"],
  ["VRUAD", { ...U, write: true }, 15],
  ["VRUAD", { ...U, fetch: true }, 12],
  ["VRXUAD", { ...U, fetch: true }, "ok"],
  ["VRWAD", S, "ok"],
  ["VRWUAD", S, 13],
  ["VRWUAD", { ...S, write: true }, 15],
  ["VRWUAD", SUM, "ok"],
  ["VRWUAD", { ...SUM, write: true }, "ok"],
  // Not even SUM lets the supervisor execute a user page.
  ["VRWXUAD", { ...SUM, fetch: true }, 12],
  ["VXAD", S, 13],
  ["VXAD", { ...S, mxr: true }, "ok"],
  ["VXAD", { ...S, fetch: true }, "ok"],
  ["VRAD", { ...S, mxr: true, fetch: true }, 12],
  ["VXUAD", { ...U, mxr: true }, "ok"],
  ["VXUAD", { ...S, mxr: true }, 13],
  // A and D: who sets them is not always known.
  ["VRW", S, "unknown"],
  ["VRW", { ...S, hardwareSetsBits: true }, "ok"],
  ["VRW", { ...S, hardwareSetsBits: false }, 13],
  ["VRWA", S, "ok"],
  ["VRWA", { ...S, write: true }, "unknown"],
  ["VRWA", { ...S, write: true, hardwareSetsBits: false }, 15],
  ["VRWA", { ...S, write: true, hardwareSetsBits: true }, "ok"],
  // What the rights refuse faults whatever A is.
  ["VR", { ...S, write: true }, 15],
  ["", S, 13],
  ["VW", S, 13],
  ["V", { ...S, fetch: true }, 12],
  ["VRWUAD", { privilege: "M" }, "ok"],
];

Deno.test("an access goes through or raises the fault that the specification says", async () => {
  for (const [bits, access, expected] of CASES) {
    assertEquals(await outcome(bits, access), expected, `${bits} ${Deno.inspect(access)}`);
  }
});

Deno.test("a hart's registers say what an access does not", () => {
  const on = riscvAccessOn({ mxr: false }, { mstatus: 3n << 18n, menvcfg: 1n << 61n });
  assertEquals(on, { sum: true, mxr: false, hardwareSetsBits: true });
  assertEquals(riscvAccessOn({}, { mstatus: 0n }), { sum: false, mxr: false });
});

Deno.test("an access that stores and fetches, or is x86's, is refused", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
  const found = await walk(memory, riscvRegime("Sv39", 0x8000_0000n), 0n);
  assertThrows(() => riscvAccess(found, { write: true, fetch: true }), Error, "ask for each");
  assertThrows(() => riscvAccess(found, { cpl: 3 } as RiscvAccess), Error, "privilege");
});
