import type { LabBuild } from "./build.ts";
import { type LabMachine, VFIO_DEVICE } from "./presets.ts";

/** Where QEMU listens and what it is given besides the machine. */
export interface QemuArgumentsOptions {
  /** TCP port of the human monitor. */
  monitorPort: number;
  /** TCP port of the gdbstub. */
  gdbPort: number;
  /** Folder for the sockets and logs. */
  folder: string;
  /** Path of a file that holds the guest's RAM; none: anonymous memory. */
  ramFile?: string | undefined;
  /** More arguments for QEMU. */
  extra?: readonly string[] | undefined;
}

/** The guest's serial ports, in order, by what they are for. */
export const SERIAL_PORTS = ["console", "target", "shell"] as const;

/** An interrupt line for each: by default the first and the third share an edge-triggered one. */
const SERIAL_INTERRUPTS = [4, 3, 5];

/** Path of the unix socket behind a serial port. */
export function serialSocket(folder: string, port: typeof SERIAL_PORTS[number]): string {
  return `${folder}/${port}.sock`;
}

/** QEMU's whole command line for a lab guest. */
export function qemuArguments(
  build: LabBuild,
  machine: LabMachine,
  options: QemuArgumentsOptions,
): string[] {
  const { folder, gdbPort, monitorPort, ramFile, extra = [] } = options;
  // Named as QEMU names it without a file: a saved guest is resumed with and without one.
  const ram = ramFile === undefined ? [] : [
    "-object",
    `memory-backend-file,id=pc.ram,size=${machine.memoryMib}M,mem-path=${ramFile},share=on`,
  ];
  return [
    "-name",
    "pagewalk-lab",
    "-M",
    ramFile === undefined ? "q35" : "q35,memory-backend=pc.ram",
    ...ram,
    "-accel",
    "tcg",
    "-cpu",
    machine.cpu,
    "-smp",
    String(machine.cpus),
    "-m",
    `${machine.memoryMib}M`,
    ...machine.vfioDevice === undefined
      ? []
      : ["-device", machine.iommu, "-device", `edu,addr=${VFIO_DEVICE.qemu}`],
    "-kernel",
    build.kernel,
    "-initrd",
    build.initramfs,
    "-append",
    machine.append,
    "-display",
    "none",
    "-nic",
    "none",
    "-no-reboot",
    ...SERIAL_PORTS.flatMap((port, index) => [
      "-chardev",
      `socket,id=${port},path=${serialSocket(folder, port)},server=on,wait=off`,
      "-device",
      `isa-serial,chardev=${port},index=${index},irq=${SERIAL_INTERRUPTS[index]}`,
    ]),
    // Spelled as the users spell it: no nodelay, or their slowness would not be ours.
    "-monitor",
    `tcp:127.0.0.1:${monitorPort},server,nowait`,
    "-gdb",
    `tcp:127.0.0.1:${gdbPort}`,
    ...extra,
  ];
}
