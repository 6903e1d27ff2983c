/** A RAM file that is not what the monitor says, or that changes under an open session. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, MemoryReadError, MonitorMemory, RamFileError, type Session } from "../../mod.ts";
import { howToRead } from "../../src/core/file_permission.ts";
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
    va: bigint,
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
    guest.guest.marker.va,
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

liveTest(
  "an old copy of a RAM file gives no verdict, at its root or at a leaf",
  () =>
    withCopy(async (path, open, openAside, va) => {
      const change = async (address: bigint) => {
        using file = await Deno.open(path, { read: true, write: true });
        const byte = new Uint8Array(1);
        file.seekSync(address, Deno.SeekMode.Start);
        file.readSync(byte);
        file.seekSync(address, Deno.SeekMode.Start);
        file.writeSync(Uint8Array.of(byte[0]! ^ 4)); // _PAGE_USER
      };
      await using session = await open();
      const walk = await session.walk(va);
      const [root, leaf] = [walk.steps[0]!, walk.steps.at(-1)!];
      await change(leaf.address);
      for (const ask of [() => session.verify(va), () => session.verifyRange(va, PAGE_BYTES)]) {
        const stale = await assertRejects(ask, RamFileError, "or an old copy of it");
        assertEquals(stale.failure, "notTheGuests");
        assertStringIncludes(stale.message, `0x${(leaf.address & ~7n).toString(16)}`);
      }
      {
        // Nothing that is looked at when a file is opened has changed.
        await using again = await openAside();
        await assertRejects(() => again.verify(va), RamFileError, "or an old copy of it");
      }
      await change(root.address);
      const refused = await assertRejects(openAside, RamFileError, "or an old copy of it");
      assertStringIncludes(refused.message, `0x${(root.address & ~0xfffn).toString(16)}`);
    }),
);

Deno.test("Deno's refusal of /dev is told from a missing permission", () => {
  const error = new Deno.errors.NotCapable(
    'Requires all access to "/dev/shm/guest", run again with the --allow-all flag',
  );
  assertStringIncludes(howToRead("/dev/shm/guest", error), "whatever --allow-read says");
  assertStringIncludes(howToRead("/dev/shm/guest"), "--allow-read=/dev/shm/guest");
});

liveTest(
  "a RAM file under /dev/shm is refused with the true cause, and one elsewhere is read",
  async () => {
    await using guest = await startBareGuest("4-level", { memoryFile: true });
    const folder = await Deno.makeTempDir({ dir: "/dev/shm" });
    try {
      await Deno.copyFile(guest.memoryFile!, `${folder}/ram`);
      await Deno.symlink(`${folder}/ram`, `${guest.memoryFile}.link`);
      const verify = async (file: string) => {
        const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "--no-prompt", "--no-check", `--allow-net=127.0.0.1:${guest.monitorPort}`],
            `--allow-read=${file}`,
            new URL("../../examples/qemu_verify_pte.ts", import.meta.url).pathname,
            ...[`${guest.monitorPort}`, `0x${guest.guest.marker.va.toString(16)}`, "--ram", file],
          ],
        }).output();
        const text = new TextDecoder();
        return { code, said: text.decode(stdout) + text.decode(stderr) };
      };
      for (const file of [`${folder}/ram`, `${guest.memoryFile}.link`]) {
        const { code, said } = await verify(file);
        assertEquals(code, 3, said);
        assertStringIncludes(said, "whatever --allow-read says");
        assertStringIncludes(said, "mount -t tmpfs");
        assert(!said.includes(`--allow-read=${folder}`), said);
      }
      const { code, said } = await verify(guest.memoryFile!);
      assert(code < 2, said);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
