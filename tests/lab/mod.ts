/**
 * The lab: real Linux guests with real VFIO, under QEMU without KVM, made of Debian packages.
 *
 * ```ts ignore
 * await using guest = await startLab("4-level");
 * await guest.clear(240);
 * console.log(guest.monitorPort, guest.target.root, await guest.dump(240));
 * ```
 *
 * What is downloaded and built is kept in `PAGEWALK_LAB_CACHE` (default `~/.cache/pagewalk/lab`).
 * Packages come from the Debian archive that this machine's apt uses, or from
 * `PAGEWALK_LAB_MIRROR` (its address) and `PAGEWALK_LAB_SUITE` (default `bookworm`).
 *
 * The guest's side is in `guest/`: `init` starts everything, `program/` is the process under test
 * (its requests are listed in `main.c`), `module/` clears `_PAGE_USER` and tells page-table entries.
 *
 * @module
 */
export { buildLab, type BuildLabOptions, type LabBuild } from "./build.ts";
export { labCacheDir } from "./cache.ts";
export { LabError, LabUnavailableError } from "./errors.ts";
export { LabGuest, type LabGuestParts, type PageReference } from "./guest.ts";
export type { LabFact, LabProcess, PagemapEntry, PteDump, TouchResult } from "./guest_lines.ts";
export { LAB_KERNELS, type LabKernel } from "./kernels.ts";
export { type OpenLab, startOpenLab } from "./open_all.ts";
export {
  LAB_FEATURES,
  LAB_PRESETS,
  type LabFeature,
  type LabPreset,
  type LabPresetName,
} from "./presets.ts";
export type { Progress } from "./progress.ts";
export { labTest, whyNoLab } from "./readiness.ts";
export { startLab, type StartLabOptions } from "./start.ts";
