import { assertEquals, assertRejects } from "@std/assert";
import {
  DeviceNotTranslatedError,
  InvalidArgumentError,
  LinuxNotFoundError,
  type Monitor,
  NoIommuError,
} from "../../mod.ts";
import { GuestIommu } from "../../src/entries/devices.ts";
import { parseIommuUnits } from "../../src/monitor/commands/read_iommu_root.ts";
import { IommuTableBuilder, ramRange, SparseMemory } from "../../src/testing/mod.ts";

const REGISTERS = "  00000000fed90000-00000000fed9022f (prio 0, i/o): intel_iommu";

/** `info mtree -f` with one view for each device. */
function tree(row: string, deviceRoot: string | null): string {
  return [
    "FlatView #0",
    ' AS "memory", root: system',
    " Root memory region: system",
    "  0000000000000000-000000003fffffff (prio 0, ram): pc.ram",
    row,
    "",
    ...deviceRoot === null ? [] : [
      "FlatView #1",
      ' AS "vtd-root", root: vtd-03.0',
      ` Root memory region: ${deviceRoot}`,
      "",
    ],
  ].join("\n");
}

const PCI = ["00:02.0", "00:03.0"].map((device) =>
  `  Bus  0, device   ${device[4]}, function 0:\n    Class 0255: PCI device 1234:11e8`
).join("\n");

/** A guest's IOMMU over a stub of a monitor, which says what it was asked. */
function guest(options: { tree: string; mmio?: boolean; root?: bigint }) {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
  builder.map("00:03.0", 0x1000n, 0x5000n, 4096);
  const asked: string[] = [];
  const root = options.root ?? builder.root;
  const word = (value: bigint) => `0x${(value & 0xffff_ffffn).toString(16).padStart(8, "0")}`;
  const monitor: Partial<Monitor> = {
    // deno-lint-ignore require-await -- a monitor's answers come later
    async command(line) {
      asked.push(line);
      if (line === "info mtree -f") return options.tree;
      if (line === "info pci") return PCI;
      return `00000000fed90020: ${word(root)} ${word(root >> 32n)}`;
    },
  };
  const iommu = new GuestIommu({
    memory,
    monitor: monitor as Monitor,
    mmio: options.mmio ?? true,
    linux: () => Promise.reject(new LinuxNotFoundError("The guest runs no Linux")),
  });
  return { iommu, asked };
}

Deno.test("devices that the IOMMU has no entry for are blocked", async () => {
  const { iommu, asked } = guest({ tree: tree(REGISTERS, "vtd-03.0-dmar") });
  const { devices } = await iommu.devices();
  assertEquals(devices.map(({ device, state, reason }) => [device, state, reason]), [
    ["00:03.0", "translated", undefined],
    ["00:02.0", "blocked", "its IOMMU has no entry for it"],
  ]);
  assertEquals(asked, ["info mtree -f", "xp /2wx 0xfed90020", "info pci"]);
  await assertRejects(() => iommu.regimeOf("00:02.0"), DeviceNotTranslatedError, "blocked");
  await assertRejects(() => iommu.device("00:1e.0"), InvalidArgumentError, "No IOMMU has an entry");
  await assertRejects(() => iommu.device("03"), InvalidArgumentError, "Not a PCI device");
});

Deno.test("an IOMMU that is off, or not set up, lets every device through", async () => {
  const off = await guest({ tree: tree(REGISTERS, "system") }).iommu.devices();
  assertEquals(off.devices.map(({ state, reason }) => [state, reason]), [
    ["passThrough", "translation is off"],
  ]);
  const unset = await guest({ tree: tree(REGISTERS, null), root: 0n }).iommu.devices();
  assertEquals(unset.devices, []);
  assertEquals(unset.problems, [
    "its IOMMU does not translate yet: devices reach all of memory",
  ]);
});

Deno.test("without leave to read the register, no register is read", async () => {
  const { iommu, asked } = guest({ tree: tree(REGISTERS, null), mmio: false });
  await assertRejects(() => iommu.devices(), LinuxNotFoundError);
  assertEquals(asked, []);
});

Deno.test("what only looks like an IOMMU's registers is not read", async () => {
  for (
    const row of [
      "  00000000fed90000-00000000fed90fff (prio 0, i/o): intel_iommu", // another length
      "  00000000fed90008-00000000fed90237 (prio 0, i/o): intel_iommu", // not at a page
      "  00000000fed90000-00000000fed9022f (prio 0, ram): intel_iommu", // RAM
      "  00000000fed90000-00000000fed9022f (prio 0, i/o): intel_iommu2", // another name
      "  00000000fed90000-00000000fed9022f (prio 0, i/o): intel_iommu @0000000000000008", // a part
    ]
  ) {
    const { iommu, asked } = guest({ tree: tree(row, null) });
    await assertRejects(() => iommu.devices(), NoIommuError);
    assertEquals(asked, ["info mtree -f"]);
  }
  assertEquals(parseIommuUnits("nothing of the kind"), []);
});
