import { LabUnavailableError } from "../lab/errors.ts";
import { requireTools, runTool } from "../lab/tools.ts";

const SOURCES = new URL("./", import.meta.url).pathname;
const GCC = "riscv64-linux-gnu-gcc";

const COMMON = ["-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin"]
  .concat(["-fno-stack-protector", "-fno-pie", "-no-pie", "-static", "-nostdlib"])
  .concat(["-mcmodel=medany", "-fno-asynchronous-unwind-tables"])
  .concat([`-Wl,-T,${SOURCES}kernel.ld,--build-id=none`]);

const WIDTHS = {
  64: ["-march=rv64ima_zicsr", "-mabi=lp64"],
  32: ["-march=rv32ima_zicsr", "-mabi=ilp32", "-Wl,-melf32lriscv"],
} as const;

/** Why the kernel cannot be built here; null where it can. With `CI=true` it must. */
export async function whyNoKernel(): Promise<string | null> {
  try {
    await requireTools([GCC, "qemu-system-riscv64"]);
    return null;
  } catch (error) {
    if (error instanceof LabUnavailableError && Deno.env.get("CI") !== "true") return error.message;
    throw error;
  }
}

/** Builds the kernel in a folder and answers its path. */
export async function buildKernel(
  folder: string,
  width: keyof typeof WIDTHS,
  ...flags: readonly string[]
): Promise<string> {
  const path = `${folder}/kernel${width}${flags.join("")}`;
  const args = [...WIDTHS[width], ...COMMON, ...flags, "-o", path, `${SOURCES}kernel.c`];
  await runTool(GCC, args, { purpose: "building the kernel" });
  return path;
}
