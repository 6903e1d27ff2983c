import { given } from "../core/options.ts";
import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import type { DmaState, IommuDevice } from "../iommu/iommu_device.ts";
import type { MappingRecord } from "../translate/mappings.ts";
import type { Regime } from "../translate/regime.ts";
import { csvLine } from "./csv.ts";
import { mappingRecord } from "./mappings_record.ts";

/** A device as it is shown: what QEMU says that it is, too. */
export type ShownDevice = IommuDevice & { readonly name?: string };

const STATES: Readonly<Record<DmaState, string>> = {
  translated: "translated",
  passThrough: "passed through",
  blocked: "blocked",
  unknown: "not known",
};

/**
 * The head of the columns that {@linkcode iommuDeviceLine} writes.
 *
 * @example Usage
 * ```ts
 * import { iommuDevicesHead } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(iommuDevicesHead().split(/ +/), ["device", "domain", "DMA", "tables"]);
 * ```
 */
export function iommuDevicesHead(): string {
  return "device   domain  DMA             tables";
}

/**
 * Writes a device as a line: its number, its domain, what becomes of its DMA, and its tables.
 *
 * @example Usage
 * ```ts
 * import { iommuDeviceLine } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const line = iommuDeviceLine({ device: "00:03.0", requesterId: 24, state: "passThrough", domain: 1 });
 * assertEquals(line, "00:03.0  1       passed through");
 * ```
 */
export function iommuDeviceLine(
  { device, domain, state, regime, reason, name }: ShownDevice,
): string {
  const tables = regime === undefined ? "" : tablesText(regime);
  return [
    device.padEnd(8),
    String(domain ?? "-").padEnd(7),
    STATES[state].padEnd(15),
    [tables, escapeText(reason ?? ""), escapeText(name ?? "")].filter((text) => text !== "").join(
      "; ",
    ),
  ].join(" ").trimEnd();
}

function tablesText({ mode, noTables, root, stage2 }: Regime): string {
  if (noTables !== undefined) return mode;
  const text = `${mode}, root ${formatAddress(root)}`;
  if (stage2 === undefined) return text;
  return `${text}, nested in ${stage2.mode}, root ${formatAddress(stage2.root)}`;
}

/**
 * A device as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { iommuDeviceRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const device = { device: "00:03.0", requesterId: 24, state: "blocked", domain: null } as const;
 * assertEquals(iommuDeviceRecord(device).state, "blocked");
 * ```
 */
export function iommuDeviceRecord(shown: ShownDevice): Record<string, unknown> {
  const { device, domain, state, regime, reason, name } = shown;
  return {
    kind: "device",
    ...{ device, domain, state },
    ...regime && { mode: regime.mode },
    ...regime && regime.noTables === undefined && { root: regime.root },
    ...regime?.stage2 && { nestedIn: { mode: regime.stage2.mode, root: regime.stage2.root } },
    ...given({ reason }),
    ...name && { name },
  };
}

/**
 * One record of what a device reaches as plain data for JSON: that of the listing, with `device`, `domain`
 * and `iova`; a run of like pages has `read` and `write`, which are the rights that apply to a device.
 *
 * @example Usage
 * ```ts
 * import { iommuMappingRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const device = { device: "00:03.0", requesterId: 24, state: "translated", domain: 2 } as const;
 * const record = iommuMappingRecord(device, { kind: "changed", address: 0x1000n, lengthBytes: 4096 });
 * assertEquals(record, { kind: "changed", device: "00:03.0", domain: 2, iova: 0x1000n, lengthBytes: 4096 });
 * ```
 */
export function iommuMappingRecord(
  { device, domain }: IommuDevice,
  record: MappingRecord,
): Record<string, unknown> {
  if (record.kind !== "mapping") {
    const { kind, address: iova, ...others } = mappingRecord(record);
    return { kind, device, domain, iova, ...others };
  }
  const { kind, address: iova, physicalAddress, lengthBytes, pageSizeBytes, pages } = record;
  const { readable: read = true, writable: write } = record.effective;
  return {
    ...{ kind, device, domain, iova, physicalAddress, lengthBytes, pageSizeBytes, pages },
    ...{ read, write },
  };
}

/** The first line of the CSV that {@linkcode iommuMappingCsv} writes. */
export const IOMMU_CSV_HEAD: string =
  "kind,device,domain,iova,physicalAddress,lengthBytes,pageSizeBytes,read,write";

/**
 * One record of what a device reaches as a line of CSV; addresses in hexadecimal.
 *
 * @example Usage
 * ```ts
 * import { iommuMappingCsv } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const device = { device: "00:03.0", requesterId: 24, state: "blocked", domain: null } as const;
 * const line = iommuMappingCsv(device, { kind: "changed", address: 0x1000n, lengthBytes: 4096 });
 * assertEquals(line, "changed,00:03.0,,0x1000,,4096,,,");
 * ```
 */
export function iommuMappingCsv(device: IommuDevice, record: MappingRecord): string {
  const { kind, address, lengthBytes } = record;
  const start = [kind, device.device, device.domain ?? "", formatAddress(address)];
  if (record.kind !== "mapping") return csvLine([...start, "", lengthBytes, "", "", ""]);
  const { physicalAddress, pageSizeBytes, effective: { readable = true, writable } } = record;
  return csvLine([
    ...start,
    physicalAddress === null ? "" : formatAddress(physicalAddress),
    lengthBytes,
    pageSizeBytes,
    ...[readable, writable].map(Number),
  ]);
}

/**
 * A device whose DMA is not translated as a line of CSV: `passThrough`, `blocked` or `unknown`.
 *
 * @example Usage
 * ```ts
 * import { iommuDeviceCsv } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const device = { device: "00:03.0", requesterId: 24, state: "blocked", domain: null } as const;
 * assertEquals(iommuDeviceCsv(device), "blocked,00:03.0,,,,,,,");
 * ```
 */
export function iommuDeviceCsv({ state, device, domain }: IommuDevice): string {
  return csvLine([state, device, domain ?? "", ...Array(6).fill("")]);
}
