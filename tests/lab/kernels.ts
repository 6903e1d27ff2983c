import { InvalidArgumentError } from "../../src/core/errors.ts";
import type { DebianArchitecture } from "./apt_sources.ts";

/** A kernel that the lab can boot. */
export interface LabKernel {
  /** The image package; a metapackage such as `linux-image-cloud-amd64` or a concrete one. */
  imagePackage: string;
  /** Its architecture. */
  architecture: "amd64" | "i386";
  /** The suite that has it, beside those that all packages come from. @default none */
  suite?: string;
}

/** The kernels that presets name. */
export const LAB_KERNELS = {
  /** 64-bit: four or five levels, with the VFIO modules. */
  "cloud-amd64": { imagePackage: "linux-image-cloud-amd64", architecture: "amd64" },
  /** The same with drivers for more machines, AMD's IOMMU among them. */
  amd64: { imagePackage: "linux-image-amd64", architecture: "amd64" },
  /** A newer one, built as this machine can build modules for it: 6.12, with virtio-iommu. */
  backports: {
    imagePackage: "linux-image-amd64",
    architecture: "amd64",
    suite: "bookworm-backports",
  },
  /** 32-bit with physical-address extension: three levels, 64-bit entries. */
  "686-pae": { imagePackage: "linux-image-686-pae", architecture: "i386" },
  /** 32-bit: two levels, 32-bit entries. */
  "686": { imagePackage: "linux-image-686", architecture: "i386" },
} as const satisfies Record<string, LabKernel>;

/** The kernel in an image package named like `linux-image-amd64` or `linux-image-686:i386`. */
export function kernelNamed(text: string): LabKernel {
  const [imagePackage = "", architecture = "amd64"] = text.split(":");
  if (!imagePackage.startsWith("linux-image-") || !/^(amd64|i386)$/.test(architecture)) {
    throw new InvalidArgumentError(
      `it must be an image package such as linux-image-amd64 or linux-image-686:i386, not "${text}"`,
      text,
    );
  }
  return { imagePackage, architecture: architecture as LabKernel["architecture"] };
}

/** A kernel module that goes into the guest. */
export interface GuestModule {
  /** Its file's name without `.ko`. */
  name: string;
  /** Words for insmod. */
  options?: string;
}

/** What VFIO needs, in the order in which they must be loaded. */
const VFIO_MODULES: readonly GuestModule[] = [
  { name: "virtio-iommu" },
  { name: "irqbypass" },
  { name: "vfio_virqfd" },
  { name: "vfio" },
  // Without interrupt remapping, which virtio-iommu lacks, VFIO refuses. The kernel's command line has no effect.
  { name: "vfio_iommu_type1", options: "allow_unsafe_interrupts=1" },
  { name: "vfio-pci-core" },
  { name: "vfio-pci" },
];

/** The swap device: one RAM disk of 16 MiB. */
const SWAP_MODULES: readonly GuestModule[] = [{ name: "brd", options: "rd_nr=1 rd_size=16384" }];

/**
 * The stock modules for a guest, in loading order. One that a kernel has built in, or does not have
 * at all, is left out of the guest. 32-bit guests go without VFIO.
 */
export function guestModules(architecture: DebianArchitecture): readonly GuestModule[] {
  return architecture === "amd64" ? [...VFIO_MODULES, ...SWAP_MODULES] : SWAP_MODULES;
}
