/** A RAM file that is not what the monitor says, or that changes under an open session. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, MemoryReadError, MonitorMemory, RamFileError, type Session } from "../../mod.ts";
import { startBareGuest } from "../../src/testing/mod.ts";
import { orHangs } from "../conformance/_attempt.ts";
import { liveTest } from "../live.ts";

const HALF_BYTES = 32 << 20;
const PAGE_BYTES = 4096;

/** Runs a test with a copy of a guest's RAM file, which may be damaged without harm to the guest. */
async function withCopy(
  test: (
    path: string,
    open: () => Promise<Session>,
    openAside: () => Promise<Session>,
  ) => Promise<void>,
): Promise<void> {
  await using guest = await startBareGuest("4-level", { memoryFile: true, monitorSocket: true });
  const path = `${guest.memoryFile}.copy`;
  await Deno.copyFile(guest.memoryFile!, path);
  const options = { ram: [path] };
  await test(
    path,
    () => connect(guest.monitorPort, options),
    () => connect(`unix:${guest.monitorSocket}`, options),
  );
}

liveTest(
  "a RAM file that is cut while it is open fails what was in it, and no more",
  () =>
    withCopy(async (path, open) => {
      await using session = await open();
      const { cr3 } = await session.registers(0);
      const root = await session.memory.read(cr3 & ~0xfffn, PAGE_BYTES);
      for (const address of [0n, BigInt(HALF_BYTES - PAGE_BYTES)]) {
        await session.memory.read(address, PAGE_BYTES);
      }
      // In the middle of a page: none of it may be made up.
      await Deno.truncate(path, HALF_BYTES - 100);
      for (const [address, lengthBytes] of [[HALF_BYTES - 104, 8], [HALF_BYTES, 8]] as const) {
        const reading = () => session.memory.read(BigInt(address), lengthBytes);
        const error = await assertRejects(
          reading,
          MemoryReadError,
          `the RAM file ${path} ends before it`,
        );
        assertEquals([error.failure, error.lengthBytes], ["unreadable", lengthBytes]);
      }
      assertEquals(await session.memory.read(cr3 & ~0xfffn, PAGE_BYTES), root);
      await Deno.truncate(path, 0);
      const walked = await session.walk(0x1234n);
      assertEquals(walked.outcome, "unreadable");
      await session.close();
      const closed = await assertRejects(() => session.memory.read(0n, 8), MemoryReadError);
      assertStringIncludes(closed.message, "was closed: connect again");
    }),
);

liveTest(
  "a RAM file that is removed or replaced stays the guest's while it is open",
  () =>
    withCopy(async (path, open, openAside) => {
      await using session = await open();
      const byMonitor = new MonitorMemory(session.monitor);
      const agrees = async () => {
        const { cr3 } = await session.registers(0);
        const page = cr3 & ~0xfffn;
        const bytes = await session.memory.read(page, PAGE_BYTES);
        assert(bytes.some((byte) => byte !== 0));
        assertEquals(bytes, await byMonitor.read(page, PAGE_BYTES));
      };
      await Deno.writeFile(`${path}.new`, new Uint8Array(2 * HALF_BYTES).fill(0xaa));
      await Deno.rename(`${path}.new`, path);
      await agrees();
      const replaced = await assertRejects(openAside, RamFileError);
      assertEquals(replaced.failure, "notTheGuests");
      await Deno.remove(path);
      await agrees();
      assertEquals((await assertRejects(openAside, RamFileError)).failure, "noSuchFile");
    }),
);

liveTest(
  "a RAM file that is too short or no file is refused, and nothing waits for it",
  () =>
    withCopy(async (path, open) => {
      for (const lengthBytes of [2 * HALF_BYTES - 1, HALF_BYTES, 1, 0]) {
        await Deno.truncate(path, lengthBytes);
        const error = await assertRejects(open, RamFileError, `it has ${lengthBytes} bytes`);
        assertEquals(error.failure, "notTheGuests");
        assertStringIncludes(error.message, "give the mem-path of its memory-backend-file");
      }
      await Deno.remove(path);
      await Deno.mkdir(path);
      assertEquals((await assertRejects(open, RamFileError)).failure, "unreadable");
      await Deno.remove(path);
      await new Deno.Command("mkfifo", { args: [path] }).output();
      const piped = await assertRejects(() => orHangs(open(), "a pipe"), RamFileError);
      assertEquals(piped.failure, "unreadable");
    }),
);
