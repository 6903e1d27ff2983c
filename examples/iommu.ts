/**
 * Lists the devices behind a guest's IOMMU: whether each is translated, passed through or blocked, and what
 * of the guest's memory it reaches.
 *
 *     deno run --allow-net=127.0.0.1:1334 iommu.ts 1334 --device 00:03.0
 */
import {
  deviceMappings,
  groupDevices,
  type GuestDevice,
  type GuestDevices,
} from "@pagewalk/pagewalk/devices";
import { mappingLine, mappingsHead } from "@pagewalk/pagewalk/report";
import {
  IOMMU_CSV_HEAD,
  iommuDeviceCsv,
  iommuDeviceLine,
  iommuDeviceRecord,
  iommuDevicesHead,
  iommuMappingCsv,
  iommuMappingRecord,
} from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  DEVICE_OPTIONS,
  escapeMessage,
  EXIT,
  flag,
  formatAddress,
  LineWriter,
  LISTING_OPTIONS,
  MONITOR,
  parseRangeText,
  runCommand,
  type Session,
  toJson,
  value,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "iommu.ts",
  purpose: "List what the devices behind a guest's IOMMU reach",
  positionals: [MONITOR],
  options: {
    device: value("BDF", "only this device, such as 00:03.0, and those of its domain", String),
    iova: value(
      "FIRST-LAST",
      "only these addresses of the device; also FIRST+LENGTH",
      parseRangeText,
    ),
    devices: flag("list the devices alone"),
    "max-tables": LISTING_OPTIONS["max-tables"],
    json: flag("print one JSON object per line: each device, and each run of like pages"),
    csv: flag("print comma-separated values: a line for each run of like pages"),
    ...DEVICE_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  notes: [
    "Rights are the effective ones of the device. Devices of one domain reach the same and are listed " +
    "together. (16 MiB at 0 are Linux's, for floppy drives, up to 6.12.) A listing proves what is mapped, " +
    "not that a device cannot reach what was unmapped a moment ago: the IOMMU has a cache.",
    "Where the tables begin is in one register of the IOMMU (RTADDR, or AMD's device table base): the only " +
    "device memory that pagewalk reads, by two aligned 32-bit reads, which change nothing. With --no-mmio, " +
    "as with a dump, Linux's own records are used.",
    "A virtio-iommu's tables are QEMU's own: what its devices reach is Linux's list of what it has mapped, " +
    "and there is nothing to walk.",
    "Checked page by page against the guest kernel's iommu_iova_to_phys: VT-d's legacy mode, its scalable " +
    "mode with second-level and first-level tables, pass-through, AMD-Vi with tables of version 1, and " +
    "virtio-iommu. First-level tables nested in second-level ones are tested on synthetic tables only.",
  ],
  examples: ["1334", "1334 --device 00:03.0 --iova 0x0+1M --json", "dump:/path --no-mmio"],
  exits: { 2: "what a device reaches could not be listed completely" },
}, async ({ positionals: [monitor], options }) => {
  await using guest = await connectTo(monitor!, options);
  const iommu = await guest.iommu();
  const wanted = options.device === undefined ? null : await iommu.device(options.device);
  const found = await iommu.devices();
  const remapped = options.csv ? null : await iommu.interruptsRemapped();
  const groups = groupDevices(found.devices).map(({ devices }) => devices).filter((devices) =>
    wanted === null || devices.some(({ requesterId }) => requesterId === wanted.requesterId)
  );
  const style = options.json ? "json" : options.csv ? "csv" : "text";
  using out = new LineWriter();
  const isKnown = tellDevices(out, style, { ...found, remapped }, groups.flat());
  let isWhole = isKnown;
  if (!options.devices) {
    const { iova = {}, "max-tables": maxTables } = options;
    for (const devices of groups) {
      const list = { ...maxTables !== undefined && { maxTables } };
      if (!await tellReach(out, style, guest, devices, iova, list)) isWhole = false;
    }
  }
  return isWhole ? EXIT.PASS : EXIT.INCONCLUSIVE;
});

type Style = "text" | "json" | "csv";

/** What is known of devices' interrupts. */
function interruptsText(remapped: boolean | null): string {
  if (remapped === null) return "not known whether they are remapped";
  return remapped
    ? "remapped, by Linux's records; the remapping table is not read"
    : "not remapped, by Linux's records: a device that can write memory can raise any of them";
}

/** The IOMMUs, the devices, and what could not be read. */
function tellDevices(
  out: LineWriter,
  style: Style,
  { units, problems, remapped }: GuestDevices & { remapped: boolean | null },
  devices: readonly GuestDevice[],
): boolean {
  if (style === "json") {
    for (const unit of units) {
      out.line(toJson({ kind: "unit", unit, interruptsRemapped: remapped }));
    }
    for (const { unit: _, ...device } of devices) out.line(toJson(iommuDeviceRecord(device)));
    for (const reason of problems) out.line(toJson({ kind: "problem", reason }));
  } else if (style === "csv") {
    out.line(IOMMU_CSV_HEAD);
    for (const device of devices) if (!device.regime) out.line(iommuDeviceCsv(device));
    for (const problem of problems) console.error(`note: ${escapeMessage(problem)}`);
  } else {
    for (const { kind, registers, root, source } of units) {
      if (registers === null) {
        out.line(
          "[+] virtio-iommu: QEMU keeps its tables, Linux's records tell what devices reach",
        );
        continue;
      }
      const from = source === "register" ? "its register" : "Linux's records";
      const name = kind === "vtd" ? "VT-d" : "AMD-Vi";
      out.line(`[+] ${name} at ${formatAddress(registers)}, root ${formatAddress(root)} (${from})`);
    }
    out.line(`[+] Interrupts: ${interruptsText(remapped)}`);
    for (const problem of problems) out.line(`[!] ${escapeMessage(problem)}`);
    out.line(iommuDevicesHead());
    for (const device of devices) out.line(iommuDeviceLine(device));
  }
  return problems.length === 0 && devices.every(({ state }) => state !== "unknown");
}

/** What the devices of one domain reach, once for all of them; in JSON and CSV for each. */
async function tellReach(
  out: LineWriter,
  style: Style,
  guest: Session,
  devices: readonly [GuestDevice, ...GuestDevice[]],
  range: { start?: bigint; lengthBytes?: number },
  list: { maxTables?: number },
): Promise<boolean> {
  const [first] = devices;
  if (first.regime === undefined) return true;
  if (style === "text") {
    const names = devices.map(({ device }) => device).join(", ");
    out.line(`\n${names} (domain ${first.domain}) ${devices.length > 1 ? "reach" : "reaches"}:`);
    out.line(mappingsHead(first.regime));
  }
  let [isWhole, isEmpty] = [true, true];
  const options = { ...list, contiguous: style !== "text" };
  for await (const record of deviceMappings(guest.memory, first, range, options)) {
    isEmpty = false;
    if (record.kind !== "mapping" && record.kind !== "shared") isWhole = false;
    if (style === "text") {
      out.line(mappingLine(record, first.regime));
      continue;
    }
    for (const device of devices) {
      out.line(
        style === "csv"
          ? iommuMappingCsv(device, record)
          : toJson(iommuMappingRecord(device, record)),
      );
    }
  }
  if (isEmpty && style === "text") out.line("nothing");
  return isWhole;
}
