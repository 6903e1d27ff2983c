/**
 * The lab: real Linux guests with real VFIO, under QEMU without KVM, made of Debian packages.
 *
 * ```ts ignore
 * await using guest = await startLab("4-level");
 * await guest.clear(240);
 * console.log(guest.monitorPort, guest.target.root, await guest.dump(240));
 * ```
 *
 * @module
 */
export { buildLab, type BuildLabOptions, type LabBuild } from "./build.ts";
export { labCacheDir } from "./cache.ts";
export { LabError, LabUnavailableError } from "./errors.ts";
export { LabGuest, type LabGuestParts, type PageReference } from "./guest.ts";
export type { LabFact, LabProcess, PagemapEntry, PteDump, TouchResult } from "./guest_lines.ts";
export { LAB_KERNELS, type LabKernel } from "./kernels.ts";
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
