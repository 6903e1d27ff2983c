/** A PCI device as QEMU lists it. */
export interface PciDevice {
  /** Bus in bits 15:8, device 7:3, function 2:0. */
  readonly requesterId: number;
  /** What it is, such as `SATA controller: PCI device 8086:2922`; empty if QEMU does not say. */
  readonly name: string;
}

const PLACE = /^ {2}Bus +(\d+), device +(\d+), function (\d+):$/;
const NAME = /^ {4}(\S.*: PCI device [0-9a-f]{4}:[0-9a-f]{4})$/;

/** Reads `info pci`: a line `  Bus  0, device   3, function 0:`, then what it is (`hmp_info_pci`, 5.2 to 11.1). */
export function parsePciDevices(reply: string): PciDevice[] {
  const devices: PciDevice[] = [];
  const lines = reply.split("\n");
  lines.forEach((line, i) => {
    const [, bus, device, fn] = (PLACE.exec(line) ?? []).map(Number);
    if (bus === undefined || bus > 255 || device! > 31 || fn! > 7) return;
    const requesterId = bus << 8 | device! << 3 | fn!;
    devices.push({ requesterId, name: NAME.exec(lines[i + 1] ?? "")?.[1] ?? "" });
  });
  return devices;
}
