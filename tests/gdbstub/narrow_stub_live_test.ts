/** A QEMU for 32-bit guests: up to 7.2 its stub drops the upper half of an address without a word. */
import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { qemuAvailable, startBareGuest } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";

const NARROW = "qemu-system-i386";

liveTest(
  "a 32-bit QEMU's gdbstub reads the memory beyond 4 GiB, and tells a halted vCPU",
  async () => {
    if (await qemuAvailable(NARROW) === null) return console.log(`  there is no ${NARROW} here`);
    await using running = await startBareGuest("pae", {
      gdb: true,
      binary: NARROW,
      extraArgs: ["-m", "6G"],
    });
    await using monitor = await connect(running.monitorPort);
    const printed = await monitor.allRegisters();
    await using stub = await connect(`gdb:${running.gdbPort}`);
    const root = printed[0]!.cr3 & ~0x1fn;
    const low = await stub.memory.read(root, 32);
    assert(low.some((byte) => byte !== 0), "the root holds nothing");
    const high = (1n << 32n) + root;
    assertEquals(await stub.memory.read(high, 32), await monitor.memory.read(high, 32));
    assertEquals(await stub.memory.read(high, 32), new Uint8Array(32));
    const registers = await stub.allRegisters();
    assertEquals(registers.map(({ halted }) => halted), printed.map(({ halted }) => halted));
    console.log(
      `  ${registers.filter(({ halted }) => halted).length} of ${registers.length} halted`,
    );
  },
);
