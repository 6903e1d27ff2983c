/** A dump of a RISC-V guest: it holds no satp, so that a root is named; its tables are the guest's. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, NoRegistersError, parseRamLayout } from "../../mod.ts";
import { startRiscvBareGuest } from "../../src/testing/riscv_bare_guest.ts";
import { dumpGuest } from "../dump/_same_walks.ts";
import { freePort, QEMU_64, riscvLiveTest } from "./_qemu.ts";

const PAGE = 0x1000n;
const LARGE = 0x20_0000n;

riscvLiveTest(
  "a dump and raw memory of a RISC-V guest are read by a root that is named",
  async () => {
    const port = freePort();
    await using guest = await startRiscvBareGuest({
      harts: [{ mode: "Sv39" }],
      fill: ({ tables }) => {
        tables.map(PAGE, 0x8080_0000n, 0, { bits: "VRWUAD" });
        tables.map(LARGE, 0x8040_0000n, 1, { bits: "VRXAD" });
      },
      binary: QEMU_64,
      args: ["-monitor", `tcp:127.0.0.1:${port},server=on,wait=off`],
    });
    const { root, rootRegister } = guest.harts[0]!.tables;
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-riscv-dump-" });
    try {
      await using live = await connect(port);
      await dumpGuest(live, `${folder}/core`);
      const listed = await Array.fromAsync(live.mappings());
      await using rootless = await connect(`dump:${folder}/core`);
      const error = await assertRejects(
        () => rootless.walk(PAGE),
        NoRegistersError,
        "holds no satp",
      );
      assert(error.message.includes("mode: Sv32, Sv39, Sv48, Sv57"), error.message);
      await using dump = await connect(`dump:${folder}/core`, { mode: "Sv39" });
      for (const named of [root, rootRegister]) {
        assertEquals(await dump.translate(PAGE + 8n, { root: named }), 0x8080_0008n);
        assertEquals(await dump.translate(LARGE, { root: named }), 0x8040_0000n);
      }
      assertEquals((await dump.verify(LARGE, { user: false }, { root })).verdict, "pass");
      assertEquals(await Array.fromAsync(dump.mappings({}, { root })), listed);

      await live.monitor.command(`pmemsave 0x80000000 0x2000000 "${folder}/raw"`, {
        allowUnsafe: ["pmemsave"],
      });
      const layout = parseRamLayout("0x80000000-0x81ffffff@0x0");
      await using raw = await connect(`dump:${folder}/raw`, { mode: "Sv39", layout });
      assertEquals(await raw.translate(PAGE, { root }), 0x8080_0000n);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
