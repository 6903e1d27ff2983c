import { qemuAvailable, type QemuBinary } from "../src/testing/qemu_process.ts";

/** The QEMU that live tests run, or null if there is none. */
export const QEMU: QemuBinary | null = await qemuAvailable();

/**
 * Declares a test that needs a real QEMU. Without one it is skipped and counted so; with `CI=true` it
 * runs and fails.
 */
export function liveTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: QEMU === null && Deno.env.get("CI") !== "true", fn });
}
