import type { QemuFlavour } from "./flavours.ts";
import type { MemoryRow } from "./machine.ts";

const GIB = 1n << 30n;
/** Above this, the `pc` machine puts RAM past 4 GiB and leaves a hole for devices. */
const LOW_RAM_LIMIT = 0xe000_0000n;
const LOW_RAM_WITH_HIGH = 3n * GIB;

/** A region inside a larger one, by its place and length. */
export interface Region {
  /** The first address. */
  start: bigint;
  /** The length, in addresses. */
  lengthBytes: bigint;
  /** QEMU's name of it. */
  name: string;
  /** QEMU's priority of it. @default {0} */
  priority?: number;
  /** Where it starts inside the region that the name stands for. @default {0n} */
  offset?: bigint;
}

/** Rows for the regions, and rows for what they leave of the region that contains them. */
export function rowsWithin(
  container: Required<Omit<Region, "offset">> & { type: MemoryRow["type"] },
  regions: readonly Region[],
): MemoryRow[] {
  const rows: MemoryRow[] = [];
  const end = container.start + container.lengthBytes;
  let at = container.start;
  const fill = (to: bigint) => {
    if (to <= at) return;
    const { type, name, priority } = container;
    rows.push({ start: at, end: to, priority, type, name, offset: at - container.start });
  };
  for (const { start, lengthBytes, name, priority = 0, offset = 0n } of regions) {
    fill(start);
    rows.push({ start, end: start + lengthBytes, priority, type: "i/o", name, offset });
    at = start + lengthBytes;
  }
  fill(end);
  return rows;
}

/**
 * The guest-physical address space of QEMU's `pc` machine after a Linux boot, as `info mtree -f`
 * shows it under `root: system`.
 */
export function pcMemoryRows(ramBytes: bigint, flavour: QemuFlavour): MemoryRow[] {
  const low = ramBytes < LOW_RAM_LIMIT ? ramBytes : LOW_RAM_WITH_HIGH;
  const rows = [
    ram(0n, 0xa0000n),
    device(0xa0000n, 0xc0000n, 1, "vga-lowmem"),
    // The BIOS shadow: the chipset write-protects it in steps of 4 KiB.
    rom(0xc0000n, 0xca000n),
    ram(0xca000n, 0xcd000n),
    rom(0xcd000n, flavour.biosRamStart),
    ram(flavour.biosRamStart, 0xf0000n),
    rom(0xf0000n, 0x100000n),
    ram(0x100000n, low),
    { ...ram(0xfd000000n, 0xfe000000n), priority: 1, name: "vga.vram", offset: 0n },
    ...vgaRows(flavour),
    device(0xfec00000n, 0xfec01000n, 0, "ioapic"),
    device(0xfed00000n, 0xfed00400n, 0, "hpet"),
    device(0xfee00000n, 0xfef00000n, 4096, "apic-msi"),
    { ...rom(0xfffc0000n, 0x1_0000_0000n), name: "pc.bios", offset: 0n },
  ];
  if (ramBytes > low) rows.push({ ...ram(4n * GIB, 4n * GIB + ramBytes - low), offset: low });
  return rows;
}

function vgaRows(flavour: QemuFlavour): MemoryRow[] {
  const start = 0xfebf0000n;
  return rowsWithin(
    { start, lengthBytes: 0x1000n, name: "vga.mmio", priority: 1, type: "i/o" },
    [
      { start, lengthBytes: flavour.edidBytes, name: "edid" },
      { start: start + 0x400n, lengthBytes: 0x20n, name: "vga ioports remapped" },
      { start: start + 0x500n, lengthBytes: 0x16n, name: "bochs dispi interface" },
      { start: start + 0x600n, lengthBytes: 0x8n, name: "qemu extended regs" },
    ],
  );
}

function ram(start: bigint, end: bigint): MemoryRow {
  return { start, end, priority: 0, type: "ram", name: "pc.ram", offset: start };
}

function rom(start: bigint, end: bigint): MemoryRow {
  return { ...ram(start, end), type: "rom" };
}

function device(start: bigint, end: bigint, priority: number, name: string): MemoryRow {
  return { start, end, priority, type: "i/o", name, offset: 0n };
}
