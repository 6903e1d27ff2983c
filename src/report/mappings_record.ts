import type { MappingRecord } from "../translate/mappings.ts";
import { formatAddress } from "../core/address.ts";
import { csvLine } from "./csv.ts";
import { entryRecord } from "./json.ts";

/** What a record of a listing does not say itself. */
export interface MappingNames {
  /** What is at the address: a memory area's file, or its name. */
  readonly name?: string;
}

/**
 * One record of a listing as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { mappingRecord, toJson } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * for await (const record of guest.mappings({ start: 0x7f1234567000n, lengthBytes: 8192 })) {
 *   console.log(toJson(mappingRecord(record)));
 * }
 * ```
 */
export function mappingRecord(
  record: MappingRecord,
  { name }: MappingNames = {},
): Record<string, unknown> {
  return name ? { ...plainRecord(record), area: name } : plainRecord(record);
}

function plainRecord(record: MappingRecord): Record<string, unknown> {
  const { kind, address, lengthBytes } = record;
  switch (record.kind) {
    case "mapping": {
      const {
        physicalAddress,
        pageSizeBytes,
        pages,
        leaf,
        effective,
        decidedBy,
        cacheType,
        entry,
      } = record;
      return {
        ...{ kind, address, physicalAddress, lengthBytes, pageSizeBytes, pages },
        ...{ leaf, effective, decidedBy, cacheType },
        ...entry && { entry: entryRecord(entry) },
      };
    }
    case "shared": {
      const { level, table, sharedWith } = record;
      return { kind, address, lengthBytes, level, table, sharedWith };
    }
    case "unreadable": {
      const { level, table, failure } = record;
      return { kind, address, lengthBytes, level, table, failure };
    }
    case "reservedBits": {
      const { entry, entries } = record;
      return { kind, address, lengthBytes, entry: entryRecord(entry), entries };
    }
    case "notPresent": {
      const { entry, content } = record;
      return { kind, address, lengthBytes, entry: entryRecord(entry), content };
    }
    case "changed":
      return { kind, address, lengthBytes };
    case "truncated":
      return { kind, address, lengthBytes, tables: record.tables };
  }
}

/** The first line of the CSV that {@linkcode mappingCsv} writes. */
export const MAPPING_CSV_HEAD: string =
  "kind,address,physicalAddress,lengthBytes,pageSizeBytes,leafUser," +
  "leafWritable,leafExecutable,user,writable,executable,cacheType,entryAddress,entry,area";

/**
 * One record of a listing as a line of CSV.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { mappingCsv } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * for await (const record of guest.mappings({ start: 0x7f1234567000n, lengthBytes: 8192 })) {
 *   console.log(mappingCsv(record));
 * }
 * ```
 */
export function mappingCsv(record: MappingRecord, { name = "" }: MappingNames = {}): string {
  const { kind, address, lengthBytes } = record;
  const entry = "entry" in record ? record.entry : undefined;
  const ofEntry = entry ? [formatAddress(entry.address), formatAddress(entry.raw)] : ["", ""];
  const start = [kind, formatAddress(address)];
  if (record.kind !== "mapping") {
    return csvLine([...start, "", lengthBytes, ...Array(8).fill(""), ...ofEntry, name]);
  }
  const { physicalAddress, pageSizeBytes, leaf, effective, cacheType } = record;
  return csvLine([
    ...start,
    physicalAddress === null ? "" : formatAddress(physicalAddress),
    lengthBytes,
    pageSizeBytes,
    ...[leaf, effective].flatMap((r) => [+r.user, +r.writable, +r.executable]),
    cacheType,
    ...ofEntry,
    name,
  ]);
}
