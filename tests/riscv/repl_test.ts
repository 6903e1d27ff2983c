import { assertEquals } from "@std/assert";
import type { RiscvRegisters } from "../../mod.ts";
import { riscvRegime } from "../../mod.ts";
import { ARCHITECTURES } from "../../src/entries/extend.ts";
import { cpusText, summarise } from "../../src/repl/helpers/cpus.ts";
import { registersText } from "../../src/repl/show/registers_text.ts";
import { renderKnown } from "../../src/repl/show/renderers.ts";
import { walkText } from "../../src/repl/show/walk_text.ts";
import { PLAIN } from "../../src/report/style.ts";
import { RISCV_ADDRESSES, simulatedRiscvGuest } from "../../src/testing/mod.ts";
import { walk } from "../../src/translate/walk.ts";

const HART: RiscvRegisters = {
  ...{ architecture: "riscv", cpu: 0, xlen: 64, pc: 0x1bcn, virtualized: false },
  ...{ satp: 0x8000_0000_0008_7e00n, mstatus: 0xa_0004_0000n },
};

const { names } = ARCHITECTURES.find(({ name }) => name === "riscv")!;

Deno.test("a hart's registers are named, and what its satp is", () => {
  const lines = registersText({ ...HART, privilege: "U" } as RiscvRegisters, names, PLAIN).split(
    "\n",
  );
  assertEquals(lines[0], "hart 0: 64 bits, privilege U, Sv39");
  assertEquals(lines[2], "satp     0x8000_0000_0008_7e00  Sv39, root 0x87e0_0000");
  assertEquals(lines[3], "mstatus  0xa_0004_0000          SUM");
  const inner = registersText({ ...HART, virtualized: true } as RiscvRegisters, names, PLAIN).split(
    "\n",
  );
  assertEquals(inner[0], "hart 0: 64 bits, privilege unknown, not on this guest's tables");
  assertEquals(inner[2]?.endsWith("the inner guest's (V=1)"), true);
  // Registers that a line of code gives are known by their fields.
  assertEquals(
    renderKnown(HART, PLAIN)?.split("\n")[0],
    "hart 0: 64 bits, privilege unknown, Sv39",
  );
});

Deno.test("harts are a table, with why one has no tables", () => {
  const harts = [HART, { ...HART, cpu: 1, privilege: "M" as const }, { ...HART, cpu: 2, satp: 0n }];
  const lines = cpusText(summarise(harts), names, PLAIN).split("\n");
  assertEquals(lines[0]!.trim().split(/\s{2,}/), [
    ...["hart", "state", "mode", "root", "satp", "priv", "pc", "same root"],
  ]);
  const states = lines.map((line) => line.trim().split(/\s{2,}/)[1]);
  assertEquals(states, ["state", "running", "firmware", "paging off"]);
});

Deno.test("a walk shows RISC-V's bits by their letters, and says that an access may fault", async () => {
  const { harts: [tables], memory } = simulatedRiscvGuest();
  const regime = riscvRegime("Sv39", tables!.root);
  const lines = async (address: bigint) =>
    walkText(await walk(memory, regime, address), PLAIN).split("\n");
  const guard = await lines(RISCV_ADDRESSES.guard);
  assertEquals(guard[4]?.includes("V R W - - - - -"), true, guard[4]);
  assertEquals(guard[6], "A is clear: an access faults unless hardware sets it (Svadu)");
  const data = await lines(RISCV_ADDRESSES.data);
  assertEquals(data[4]?.includes("V R W - U - A D"), true, data[4]);
  assertEquals(data.length, 6);
});
