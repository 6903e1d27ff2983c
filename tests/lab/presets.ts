import { LAB_KERNELS, type LabKernel } from "./kernels.ts";

/** What a guest can be asked to have, beyond one processor, 1 GiB and four levels. */
export type LabFeature = keyof typeof FEATURES;

/** What a feature changes in the machine. */
interface MachineChange {
  /** Memory in MiB, at least. */
  memoryMib?: number;
  /** Number of processors. */
  cpus?: number;
  /** Whether the processor has five-level paging. */
  la57?: boolean;
  /** More properties of the processor. */
  cpuProperties?: string;
  /** Words on the kernel's command line. */
  append?: string;
  /** Another IOMMU than Intel's. */
  iommu?: string;
  /** Properties of the IOMMU. */
  iommuProperties?: string;
}

const FEATURES = {
  /** Page-table isolation: two roots for each process; with a second processor. */
  pti: { cpus: 2, append: "pti=on" },
  /** Five levels. */
  la57: { la57: true, append: "lab.wide=1" },
  /** The vsyscall page, readable as before 5.2. */
  vsyscall: { append: "vsyscall=emulate" },
  /** Memory above the PCI hole, where Linux takes user pages first. */
  "high-memory": { memoryMib: 4096 },
  /**
   * A 1 GiB page. Linux finds no room for one below the hole. It is cleared when it is first
   * touched: byte by byte under TCG, if the processor says that this is fast.
   */
  huge: {
    memoryMib: 4096,
    append: "hugepagesz=1G hugepages=1",
    cpuProperties: "erms=off,fsrm=off",
  },
  /** A bystander maps the target's DMA address too, with _PAGE_USER set. */
  decoy: { append: "lab.bystander=decoy" },
  /** VT-d's scalable mode: in QEMU 7.2 with second-level tables. */
  scalable: { iommuProperties: ",x-scalable-mode=on", append: "intel_iommu=on,sm_on" },
  /** The same with first-level tables; QEMU has them from 10.0 on. */
  "first-level": {
    iommuProperties: ",x-scalable-mode=on,x-flts=on",
    append: "intel_iommu=on,sm_on",
  },
  /** AMD's IOMMU, with interrupt remapping, without which VFIO refuses. Takes the generic kernel. */
  "amd-iommu": { iommu: "amd-iommu", iommuProperties: ",intremap=on", append: "amd_iommu=on" },
  /** virtio's IOMMU, which remaps no interrupts. Takes the backported generic kernel. */
  "virtio-iommu": { iommu: "virtio-iommu-pci" },
  /** Only devices that VFIO has are translated. */
  "iommu-pt": { append: "iommu=pt" },
} as const satisfies Record<string, MachineChange>;

/** A guest to start: a kernel and what it has. */
export interface LabPreset {
  /** The kernel to boot. */
  kernel: LabKernel;
  /** What the machine has beyond the basic. */
  features: readonly LabFeature[];
}

/** The guests that tests and `deno task lab` know by name. */
export const LAB_PRESETS = {
  /** Four levels, one processor, 1 GiB, VFIO. */
  "4-level": { kernel: LAB_KERNELS["cloud-amd64"], features: [] },
  /** Page-table isolation and two processors. */
  pti: { kernel: LAB_KERNELS["cloud-amd64"], features: ["pti"] },
  /** Five levels, and a vsyscall page. */
  la57: { kernel: LAB_KERNELS["cloud-amd64"], features: ["la57", "vsyscall"] },
  /** 4 GiB, half of it above the PCI hole. */
  "high-memory": { kernel: LAB_KERNELS["cloud-amd64"], features: ["high-memory"] },
  /** A 1 GiB page. */
  huge: { kernel: LAB_KERNELS["cloud-amd64"], features: ["huge"] },
  /** Everything at once. */
  all: {
    kernel: LAB_KERNELS["cloud-amd64"],
    features: ["pti", "la57", "high-memory", "huge", "decoy"],
  },
  /** AMD's IOMMU and Debian's generic kernel, which has a driver for it. */
  amd: { kernel: LAB_KERNELS.amd64, features: ["amd-iommu"] },
  /** Intel's IOMMU in scalable mode. */
  scalable: { kernel: LAB_KERNELS["cloud-amd64"], features: ["scalable"] },
  /** The same with first-level tables. */
  "first-level": { kernel: LAB_KERNELS.backports, features: ["first-level"] },
  /** Intel's IOMMU, which most devices pass through. */
  "iommu-pt": { kernel: LAB_KERNELS["cloud-amd64"], features: ["iommu-pt"] },
  /** virtio's IOMMU, on Linux 6.12. */
  "virtio-iommu": { kernel: LAB_KERNELS.backports, features: ["virtio-iommu"] },
  /** Intel's IOMMU on Linux 6.12. */
  "linux-6.12": { kernel: LAB_KERNELS.backports, features: [] },
  /** 32-bit with physical-address extension. */
  pae: { kernel: LAB_KERNELS["686-pae"], features: [] },
  /** 32-bit with two levels. */
  "2-level": { kernel: LAB_KERNELS["686"], features: [] },
} as const satisfies Record<string, LabPreset>;

/** The name of a preset. */
export type LabPresetName = keyof typeof LAB_PRESETS;

/** The names of all features. */
export const LAB_FEATURES: LabFeature[] = Object.keys(FEATURES) as LabFeature[];

/** The virtual machine that a preset asks for. */
export interface LabMachine {
  /** QEMU's `-cpu`. */
  cpu: string;
  /** Number of processors. */
  cpus: number;
  /** Memory in MiB. */
  memoryMib: number;
  /** The kernel's command line. */
  append: string;
  /** PCI address of the device that is bound to vfio-pci, if the guest has VFIO. */
  vfioDevice: string | undefined;
  /** The IOMMU, as QEMU's `-device` names it. */
  iommu: string;
}

/** Where the device for VFIO sits, as Linux and as QEMU (`addr=`) count. */
export const VFIO_DEVICE = { linux: "0000:00:03.0", qemu: "3" } as const;

/**
 * Words that every guest gets. Without `no_timer_check` a loaded host makes Linux panic now and then
 * ("timer doesn't work through Interrupt-remapped IO-APIC"). The log must hold two lines for each
 * cleared page; a quiet console keeps them from slowing the guest. Self-tests of the ciphers and the
 * search for ISA cards cost two seconds on a 32-bit kernel.
 */
const APPEND = "console=ttyS0 panic=-1 no_timer_check quiet loglevel=4 log_buf_len=1M " +
  "cryptomgr.notests noisapnp";

/** Works out the machine for a preset. */
export function machineFor(preset: LabPreset): LabMachine {
  const changes: MachineChange[] = preset.features.map((feature) => FEATURES[feature]);
  const is64Bit = preset.kernel.architecture === "amd64";
  const la57 = changes.some((change) => change.la57);
  return {
    cpu: ["max", la57 ? [] : "la57=off", changes.map((change) => change.cpuProperties ?? [])]
      .flat(2).join(","),
    cpus: Math.max(1, ...changes.map((change) => change.cpus ?? 1)),
    memoryMib: Math.max(1024, ...changes.map((change) => change.memoryMib ?? 0)),
    append: [
      APPEND,
      ...(is64Bit ? [`intel_iommu=on lab.device=${VFIO_DEVICE.linux}`] : []),
      ...changes.map((change) => change.append ?? ""),
    ].filter((words) => words !== "").join(" "),
    vfioDevice: is64Bit ? VFIO_DEVICE.linux : undefined,
    iommu: `${changes.find((change) => change.iommu)?.iommu ?? "intel-iommu"}${
      changes.map((change) => change.iommuProperties ?? "").join("")
    }`,
  };
}
