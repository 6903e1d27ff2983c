import type { GuestSource } from "./guest_sources.ts";
import { runTool } from "./tools.ts";

/** What {@linkcode buildKernelModule} needs to know. */
export interface BuildKernelModuleOptions {
  /** The kernel's release. */
  release: string;
  /** Folder with the unpacked headers. */
  headers: string;
  /** An empty folder to build in. */
  folder: string;
}

/** Builds `pagewalk_lab.ko` with kbuild, outside any kernel tree, and answers its path. */
export async function buildKernelModule(
  sources: readonly GuestSource[],
  options: BuildKernelModuleOptions,
): Promise<string> {
  const { folder, headers, release } = options;
  await Deno.mkdir(folder, { recursive: true });
  for (const { path, text } of sources) {
    if (!path.startsWith("module/")) continue;
    await Deno.writeTextFile(`${folder}/${path.slice("module/".length)}`, text);
  }
  await runTool("make", [
    "-C",
    `${headers}/usr/src/linux-headers-${release}`,
    `M=${folder}`,
    // Debian's headers ask for the gcc of their own release; any one that is near will do.
    "CC=gcc",
    // Nobody reads this module's own types, which take pahole to make (headers since 6.12 have what it needs).
    "CONFIG_DEBUG_INFO_BTF_MODULES=",
    "modules",
  ], { purpose: "building the lab's kernel module" });
  const module = `${folder}/pagewalk_lab.ko`;
  await runTool("strip", ["--strip-debug", module], { purpose: "stripping the kernel module" });
  return module;
}
