import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  DeviceNotTranslatedError,
  InvalidArgumentError,
  LinuxNotFoundError,
  type Monitor,
  NoIommuError,
  ReplyParseError,
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
function guest(
  options: { tree: string; mmio?: boolean; root?: bigint; answer?: string; pci?: string },
) {
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
      if (line === "info pci") return options.pci ?? PCI;
      if (options.answer !== undefined) return options.answer;
      const address = line.split("0x")[1]!.padStart(16, "0");
      return `${address}: ${word(root)} ${word(root >> 32n)}`;
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
    assertEquals(asked, ["info mtree -f", "info pci"]);
  }
  assertEquals(parseIommuUnits("nothing of the kind"), []);
});

Deno.test("a register that reads as all ones, or as nothing, is no root", async () => {
  const ones = (1n << 64n) - 1n;
  const { iommu } = guest({ tree: tree(REGISTERS, "vtd-03.0-dmar"), root: ones });
  const { devices, problems } = await iommu.devices();
  assertEquals(devices, []);
  assertEquals(problems, ["the root table's mode (RTADDR.TTM) is 3, which is reserved"]);
  const outside = guest({ tree: tree(REGISTERS, null), root: 0xf_ffff_ffff_f000n }).iommu;
  assertEquals((await outside.devices()).problems, [
    "the root table at 0xffffffffff000 lies outside RAM",
  ]);
  await assertRejects(() => outside.device("00:03.0"), InvalidArgumentError, "lies outside RAM");
  const amd = REGISTERS.replace("fed9022f", "fed93fff").replace("intel_iommu", "amdvi-mmio");
  const table = await guest({ tree: tree(amd, null), root: ones }).iommu.devices();
  assertEquals(table.devices, []);
  assertStringIncludes(table.problems.join(), "lies outside RAM");
});

Deno.test("a register that QEMU does not read is an error that says so", async () => {
  for (const answer of ["Cannot access memory", "", "00000000fed90020: 0x00000000"]) {
    const { iommu } = guest({ tree: tree(REGISTERS, null), answer });
    await assertRejects(() => iommu.devices(), ReplyParseError);
  }
});

Deno.test("a memory tree with units without end is read to a bound, and each unit once a row", async () => {
  const rows = Array.from(
    { length: 1000 },
    (_, i) => REGISTERS.replaceAll("fed9", (0xa000 + i).toString(16)),
  );
  assertEquals(parseIommuUnits(tree(rows.slice(0, 64).join("\n"), null)).length, 64);
  assertThrows(() => parseIommuUnits(tree(rows.join("\n"), null)), ReplyParseError, "1000 of them");
  const two = guest({ tree: tree(rows.slice(0, 2).join("\n"), "vtd-03.0-dmar") });
  const { devices, units } = await two.iommu.devices();
  assertEquals(units.map(({ registers }) => registers), [0xa000_0000n, 0xa001_0000n]);
  // Which unit is in front of a device that neither knows is not known: it is not called blocked.
  assertEquals(devices.map(({ device }) => device), ["00:03.0", "00:03.0"]);
  assertEquals(two.asked.filter((line) => line.startsWith("xp")), [
    "xp /2wx 0xa0000020",
    "xp /2wx 0xa0010020",
  ]);
});

Deno.test("a virtio IOMMU is none that registers tell of; without Linux its devices are not known", async () => {
  const pci = "  Bus  0, device   2, function 0:\n    Class 0264: PCI device 1af4:1057";
  const { iommu, asked } = guest({ tree: tree("", null), pci });
  await assertRejects(() => iommu.devices(), LinuxNotFoundError);
  assertEquals(asked, ["info mtree -f", "info pci", "info pci"]);
  const none = guest({ tree: tree("", null) }).iommu;
  await assertRejects(() => none.devices(), NoIommuError, "virtio-iommu-pci");
});
