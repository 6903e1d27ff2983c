import type { QemuFlavour } from "./flavours.ts";
import type { MemoryRow } from "./machine.ts";
import { type Region, rowsWithin } from "./pc_memory_rows.ts";

/** The I/O ports of QEMU's `pc` machine, as `info mtree -f` shows them under `root: io`. */
export function pcPortRows(flavour: QemuFlavour): MemoryRow[] {
  return rowsWithin(
    { start: 0n, lengthBytes: 0x1_0000n, name: "io", priority: 0, type: flavour.ioGap },
    ports(flavour),
  );
}

function ports({ hotplugBytes, resetControl }: QemuFlavour): Region[] {
  return [
    { start: 0x0n, lengthBytes: 0x8n, name: "dma-chan" },
    { start: 0x8n, lengthBytes: 0x8n, name: "dma-cont" },
    { start: 0x20n, lengthBytes: 0x2n, name: "pic" },
    { start: 0x40n, lengthBytes: 0x4n, name: "pit" },
    { start: 0x60n, lengthBytes: 0x1n, name: "i8042-data" },
    { start: 0x61n, lengthBytes: 0x1n, name: "pcspk" },
    { start: 0x64n, lengthBytes: 0x1n, name: "i8042-cmd" },
    { start: 0x70n, lengthBytes: 0x1n, name: "rtc-index" },
    { start: 0x71n, lengthBytes: 0x1n, name: "rtc", offset: 0x1n },
    { start: 0x7en, lengthBytes: 0x2n, name: "kvmvapic" },
    { start: 0x80n, lengthBytes: 0x1n, name: "ioport80" },
    { start: 0x81n, lengthBytes: 0x3n, name: "dma-page" },
    { start: 0x87n, lengthBytes: 0x1n, name: "dma-page" },
    { start: 0x89n, lengthBytes: 0x3n, name: "dma-page" },
    { start: 0x8fn, lengthBytes: 0x1n, name: "dma-page" },
    { start: 0x92n, lengthBytes: 0x1n, name: "port92" },
    { start: 0xa0n, lengthBytes: 0x2n, name: "pic" },
    { start: 0xb2n, lengthBytes: 0x2n, name: "apm-io" },
    { start: 0xc0n, lengthBytes: 0x10n, name: "dma-chan" },
    { start: 0xd0n, lengthBytes: 0x10n, name: "dma-cont" },
    { start: 0xf0n, lengthBytes: 0x1n, name: "ioportF0" },
    { start: 0x170n, lengthBytes: 0x8n, name: "ide" },
    { start: 0x1cen, lengthBytes: 0x4n, name: "vbe" },
    { start: 0x1f0n, lengthBytes: 0x8n, name: "ide" },
    { start: 0x376n, lengthBytes: 0x1n, name: "ide" },
    { start: 0x378n, lengthBytes: 0x8n, name: "parallel" },
    { start: 0x3b4n, lengthBytes: 0x2n, name: "vga" },
    { start: 0x3ban, lengthBytes: 0x1n, name: "vga" },
    { start: 0x3c0n, lengthBytes: 0x10n, name: "vga" },
    { start: 0x3d4n, lengthBytes: 0x2n, name: "vga" },
    { start: 0x3dan, lengthBytes: 0x1n, name: "vga" },
    { start: 0x3f1n, lengthBytes: 0x5n, name: "fdc" },
    { start: 0x3f6n, lengthBytes: 0x1n, name: "ide" },
    { start: 0x3f7n, lengthBytes: 0x1n, name: "fdc" },
    { start: 0x3f8n, lengthBytes: 0x8n, name: "serial" },
    { start: 0x4d0n, lengthBytes: 0x1n, name: "elcr" },
    { start: 0x4d1n, lengthBytes: 0x1n, name: "elcr" },
    { start: 0x510n, lengthBytes: 0x2n, name: "fwcfg" },
    { start: 0x514n, lengthBytes: 0x8n, name: "fwcfg.dma" },
    { start: 0x600n, lengthBytes: 0x4n, name: "acpi-evt" },
    { start: 0x604n, lengthBytes: 0x2n, name: "acpi-cnt" },
    { start: 0x608n, lengthBytes: 0x4n, name: "acpi-tmr" },
    { start: 0x700n, lengthBytes: 0x40n, name: "pm-smbus" },
    { start: 0xcf8n, lengthBytes: 0x1n, name: "pci-conf-idx" },
    { start: 0xcf9n, lengthBytes: 0x1n, name: resetControl, priority: 1 },
    { start: 0xcfan, lengthBytes: 0x2n, name: "pci-conf-idx", offset: 0x2n },
    { start: 0xcfcn, lengthBytes: 0x4n, name: "pci-conf-data" },
    { start: 0x5658n, lengthBytes: 0x1n, name: "vmport" },
    { start: 0xae00n, lengthBytes: hotplugBytes.pci, name: "acpi-pci-hotplug" },
    { start: 0xaf00n, lengthBytes: hotplugBytes.cpu, name: "acpi-cpu-hotplug" },
    { start: 0xafe0n, lengthBytes: 0x4n, name: "acpi-gpe0" },
    { start: 0xc000n, lengthBytes: 0x4n, name: "piix-bmdma" },
    { start: 0xc004n, lengthBytes: 0x4n, name: "bmdma" },
    { start: 0xc008n, lengthBytes: 0x4n, name: "piix-bmdma" },
    { start: 0xc00cn, lengthBytes: 0x4n, name: "bmdma" },
  ];
}
