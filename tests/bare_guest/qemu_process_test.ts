import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { qemuAvailable, QemuStartError, startQemu } from "../../src/testing/qemu_process.ts";

// These need no QEMU: any program that ends, prints or listens will do.

Deno.test("qemuAvailable() tells a missing QEMU from a broken one", async () => {
  assertEquals(await qemuAvailable("/no/such/qemu"), null);
  await assertRejects(() => qemuAvailable("false"), QemuStartError, "is not a QEMU that runs here");
});

Deno.test("startQemu() says how to get QEMU if there is none", async () => {
  await assertRejects(
    () => startQemu([], { binary: "/no/such/qemu" }),
    QemuStartError,
    "install it (Debian: apt-get install qemu-system-x86)",
  );
});

Deno.test("startQemu() passes on the exit code and standard error on one line", async () => {
  const start = () =>
    startQemu(["-c", "echo one >&2; echo two >&2; exit 3"], { binary: "sh", readyBytes: "0" });
  const error = await assertRejects(start, QemuStartError);
  assertEquals([error.exitCode, error.stderr], [3, "one\ntwo\n"]);
  assertEquals(error.message, "QEMU quit with code 3 before it was ready, saying: one; two");
});

Deno.test("startQemu() waits for each ready byte, in any order", async () => {
  const args = ["-c", "printf 1; sleep 0.05; printf x0; exec sleep 60"];
  await using process = await startQemu(args, { binary: "sh", readyBytes: "01" });
  assertEquals(process.stdout, "1x0");
});

Deno.test("startQemu() waits for the port, and ends what did not open it in time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await using _process = await startQemu(["60"], { binary: "sleep", port });
  (await listener.accept()).close();
  listener.close();
  const start = () => startQemu(["60"], { binary: "sleep", port, timeoutMs: 100 });
  const error = await assertRejects(start, QemuStartError);
  assertMatch(error.message, /^QEMU was not ready after 100 ms; it was started as: sleep 60$/);
});
