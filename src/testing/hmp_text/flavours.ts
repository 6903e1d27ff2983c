/** The QEMU releases whose monitor text was recorded, and that the simulated guest can print like. */
export type QemuRelease = "5.2" | "7.2" | "10.0" | "11.1";

/** How the monitor of one QEMU release differs from the others'. */
export interface QemuFlavour {
  /** The full version, as in the banner. */
  version: string;
  /** What `info version` prints behind it. */
  packageVersion: string;
  /** `info registers` of one vCPU starts with an empty line and `CPU#N`. */
  registersHeader: boolean;
  /** `info registers N` exists. */
  registersOfOneCpu: boolean;
  /** With AVX on, vector registers are printed as YMM, one a line. */
  ymm: boolean;
  /** What stands between the halves of an XMM register. */
  xmmSeparator: "" | " ";
  /** The least number of digits of an address in `xp`. */
  physicalAddressDigits: 8 | 16;
  /** What `info cpus` prints behind a thread. */
  cpuSuffix: string;
  /** `print $cr3` and the other registers that the gdbstub names are known. */
  registerExpressions: boolean;
  /** How `print` and its alias stand in the help. */
  printName: "p|print" | "print|p";
  /** What the gaps between I/O ports are in `info mtree -f`. */
  ioGap: "i/o" | "container";
  /** The name of the PIIX3's reset register. */
  resetControl: string;
  /** Where the BIOS area that stays writable starts. */
  biosRamStart: bigint;
  /** The length of VGA's EDID registers, in bytes. */
  edidBytes: bigint;
  /** The lengths of the ACPI hotplug registers, in bytes. */
  hotplugBytes: { pci: bigint; cpu: bigint };
  /** What each byte of the local APIC reads as through `xp`. */
  localApicByte: number;
}

const SINCE_7_2 = {
  registersHeader: true,
  registersOfOneCpu: true,
  ymm: true,
  xmmSeparator: " ",
  printName: "print|p",
  edidBytes: 0x180n,
  hotplugBytes: { pci: 0x18n, cpu: 0xcn },
} as const;

/**
 * What was seen to differ in the monitors of Debian's builds. Between two releases the exact version
 * of a change is not known.
 */
export const QEMU_FLAVOURS: Readonly<Record<QemuRelease, QemuFlavour>> = {
  "5.2": {
    version: "5.2.0",
    packageVersion: "Debian 1:5.2+dfsg-11+deb11u3",
    registersHeader: false,
    registersOfOneCpu: false,
    ymm: false,
    xmmSeparator: "",
    physicalAddressDigits: 16,
    cpuSuffix: "",
    registerExpressions: false,
    printName: "p|print",
    ioGap: "i/o",
    resetControl: "piix3-reset-control",
    biosRamStart: 0xe8000n,
    edidBytes: 0x100n,
    hotplugBytes: { pci: 0x14n, cpu: 0x20n },
    localApicByte: 0x00,
  },
  "7.2": {
    ...SINCE_7_2,
    version: "7.2.22",
    packageVersion: "Debian 1:7.2+dfsg-7+deb12u18+b3",
    physicalAddressDigits: 16,
    cpuSuffix: "",
    registerExpressions: false,
    ioGap: "i/o",
    resetControl: "piix3-reset-control",
    biosRamStart: 0xe8000n,
    localApicByte: 0x00,
  },
  "10.0": {
    ...SINCE_7_2,
    version: "10.0.13",
    packageVersion: "Debian 1:10.0.13+ds-0+deb13u1",
    physicalAddressDigits: 16,
    cpuSuffix: "",
    registerExpressions: false,
    ioGap: "i/o",
    resetControl: "piix-reset-control",
    biosRamStart: 0xe4000n,
    localApicByte: 0x00,
  },
  "11.1": {
    ...SINCE_7_2,
    version: "11.1.3",
    packageVersion: "Debian 1:11.1.3+ds-1~bpo13+1",
    physicalAddressDigits: 8,
    cpuSuffix: " model=max",
    registerExpressions: true,
    ioGap: "container",
    resetControl: "piix-reset-control",
    biosRamStart: 0xe8000n,
    localApicByte: 0xff,
  },
};
