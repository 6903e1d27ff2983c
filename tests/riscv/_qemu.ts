import { qemuAvailable } from "../../src/testing/qemu_process.ts";

/** The QEMUs that the live tests run. */
export const QEMU_64 = Deno.env.get("PAGEWALK_QEMU_RISCV64") ?? "qemu-system-riscv64";
export const QEMU_32 = Deno.env.get("PAGEWALK_QEMU_RISCV32") ?? "qemu-system-riscv32";

const isThere = await qemuAvailable(QEMU_64) !== null && await qemuAvailable(QEMU_32) !== null;

/** Declares a test that needs QEMU for RISC-V. Without one it is skipped; with `CI=true` it fails. */
export function riscvLiveTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: !isThere && Deno.env.get("CI") !== "true", fn });
}

/** A TCP port that is free right now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
