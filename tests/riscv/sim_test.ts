import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { RISCV_ADDRESSES } from "../../src/testing/mod.ts";

Deno.test("sim:riscv64 shows a page that is closed to user mode", async () => {
  await using guest = await connect("sim:riscv64");
  assertEquals((await guest.verify(RISCV_ADDRESSES.guard)).verdict, "pass");
  const open = await guest.verify(RISCV_ADDRESSES.data);
  assertEquals([open.verdict, open.reason], ["fail", "_PAGE_USER is set in the L0 PTE"]);
  const { walk } = open;
  assertEquals([walk.mode, walk.steps.length], ["Sv39", 3]);
  // The trampoline is at the same place in both address spaces.
  for (const cpu of [0, 1]) {
    const found = await guest.walk(RISCV_ADDRESSES.trampoline, { cpu });
    assert(found.outcome === "mapped");
    assertEquals([found.physicalAddress, found.effective.user], [0x8000_7000n, false]);
  }
  const text = await guest.monitor.command(`gva2gpa 0x${RISCV_ADDRESSES.data.toString(16)}`);
  assertEquals(text.trim(), "gpa: 0x87f4d000");
});
