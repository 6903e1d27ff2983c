import { CapabilityError, connect } from "../../mod.ts";
import type { LinuxGuest } from "../../src/entries/linux.ts";
import {
  compareAreas,
  compareDetails,
  compareFrames,
  compareLog,
  compareProcesses,
  compareStates,
  compareSums,
  compareSymbols,
  type Comparison,
  kallsyms,
} from "../linux/_compare.ts";
import { compareModules } from "../linux/_compare_more.ts";
import type { FetchedKernel } from "./debian_kernels.ts";
import { KernelGuest, type KernelSettings } from "./kernel_guest.ts";

/** How many of each must at least have been compared, for a comparison to say something. */
const LEAST = {
  processes: 20,
  areas: 50,
  details: 20,
  frames: 60,
  sums: 40,
  states: 1,
  symbols: 30,
  modules: 100,
  log: 50,
} as const;

/** Where `_text` is without KASLR: `__START_KERNEL` in arch/x86/include/asm/page_types.h. */
const LINKED_TEXT = 0xffff_ffff_8100_0000n;

/** What is compared. */
export type CheckName = keyof typeof LEAST;

/** The names of all comparisons, in the order in which they are made. */
export const CHECKS = Object.keys(LEAST) as CheckName[];

/** What came of one guest. */
export type KernelCheck = Record<CheckName, Comparison>;

/**
 * Boots a kernel and compares what is read from outside with what the guest says: a comparison of too
 * little is a difference, too.
 */
export async function checkKernel(
  kernel: FetchedKernel,
  settings: KernelSettings,
): Promise<KernelCheck> {
  await using guest = await KernelGuest.start(kernel, settings);
  await using session = await connect(`unix:${guest.monitorPath}`);
  const linux = await session.linux();
  const checks = {
    processes: await compareProcesses(guest, linux),
    areas: await compareAreas(guest, linux),
    details: await compareContainer(guest, linux),
    frames: await compareFrames(guest, linux, session.memory),
    sums: await compareSums(guest, linux),
    states: await compareStates(
      linux,
      await guest.shell("cat /mnt/states"),
      await linux.process("states"),
    ),
    symbols: await compareSymbols(guest, linux, await kallsyms(guest)),
    modules: await compareModules(guest, linux),
    log: await compareLog(guest, linux),
  };
  // What is compared must be of the kernel, and on the machine, that was asked for. With KASLR, one boot
  // of about 500 moves the image nowhere.
  const { kaslr, la57, pti } = settings;
  const { userRoot } = await linux.process(1);
  const told = [linux.version, linux.context.mode, userRoot !== null, !kaslr && linux.text];
  const levels = la57 && await knowsFiveLevels(kernel) ? "5-level" : "4-level";
  const wanted = [kernel.release, levels, pti, !kaslr && LINKED_TEXT];
  if (String(told) !== String(wanted)) {
    checks.processes.differences.push(`the guest is ${told}, not ${wanted}`);
  }
  for (const name of CHECKS) {
    const { compared, differences } = checks[name];
    // A guest that needs no module for its overlay has none at all.
    const least = name === "modules" && kernel.overlay === null ? 0 : LEAST[name];
    if (compared < least) differences.push(`only ${compared} ${name} to compare`);
  }
  return checks;
}

/** Debian's cloud kernel 5.10 was built without five levels; an image tells in its xloadflags. */
async function knowsFiveLevels({ image }: FetchedKernel): Promise<boolean> {
  const header = new DataView((await Deno.readFile(image)).buffer);
  // Documentation/arch/x86/boot.rst: xloadflags at 0x236, bit 6 is XLF_5LEVEL_ENABLED.
  return (header.getUint16(0x236, true) & 0x40) !== 0;
}

/** The program in the container, and what /proc says of all others. */
async function compareContainer(guest: KernelGuest, linux: LinuxGuest): Promise<Comparison> {
  const { differences, compared } = await compareDetails(guest, linux).catch((error) => {
    // Without type data (5.10) nothing tells of namespaces and cgroups.
    if (!(error instanceof CapabilityError)) throw error;
    const none: Comparison = { differences: [], compared: LEAST.details };
    return none;
  });
  const inside = await linux.process("inside");
  const paths = (await linux.vmas(inside)).map(({ name }) => name);
  const told: string[] = [String(paths.includes("/mnt/merged/bin/inside"))];
  const wanted = ["true"];
  if (await linux.typeNames().then(() => true, () => false)) {
    told.push(await linux.cgroup(inside), String((await linux.namespacePids(inside)).slice(1)));
    wanted.push("/box.slice/one", "1");
  }
  if (String(told) !== String(wanted)) {
    const said = await guest.shell("cat /mnt/container");
    differences.push(`the container: ${told}, not ${wanted}; its paths: ${paths}; ${said}`);
  }
  return { differences, compared };
}
