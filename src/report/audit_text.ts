import { formatAddress } from "../core/address.ts";
import { escapeMessage } from "../core/escape.ts";
import type { Finding } from "../audit/finding.ts";
import { SEVERITIES, type Severity } from "../audit/rules.ts";
import { rightsText } from "./mappings_text.ts";
import { processText } from "./all_text.ts";
import { entryRecord } from "./json.ts";
import { formatSize } from "./size.ts";
import type { Style } from "./style.ts";

/**
 * Writes a finding as a line: its severity and rule, where, what, and the evidence.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { findingLine, PLAIN } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * for await (const found of guest.audit()) console.log(findingLine(found, PLAIN));
 * ```
 */
export function findingLine(found: Finding, style: Style): string {
  const { rule, severity, address, lengthBytes, message } = found;
  const paint = severity === "high" ? style.bad : severity === "medium" ? style.value : style.faint;
  const size = lengthBytes === 0 ? "" : ` (${formatSize(lengthBytes)})`;
  const details = evidenceText(found);
  const whose = found.process ? `${processText(found.process)} ` : "";
  return `${paint(severity.padEnd(6))} ${rule}: ${whose}${formatAddress(address, 8)}${size}: ${
    escapeMessage(message)
  }` +
    (details === "" ? "" : `; ${details}`);
}

function evidenceText({ evidence }: Finding): string {
  const { mappings, physicalAddress, effective, cacheType, entry, devices } = evidence;
  if (mappings) {
    const ways = mappings.map((way) =>
      `${rightsText(way.effective)} ${way.cacheType} at ${formatAddress(way.address)}` +
      (way.process ? ` of ${processText(way.process)}` : "")
    );
    return `frame ${formatAddress(physicalAddress!)}: ${ways.join(", ")}`;
  }
  return [
    ...devices ? [devices.join(", ")] : [],
    ...effective ? [`${rightsText(effective)} ${cacheType ?? ""}`.trimEnd()] : [],
    ...physicalAddress !== undefined ? [`physical ${formatAddress(physicalAddress)}`] : [],
    ...entry
      ? [`${entry.name} entry ${formatAddress(entry.raw)} at ${formatAddress(entry.address)}`]
      : [],
  ].join(", ");
}

/**
 * Says in one line how many findings there are of each severity.
 *
 * @example Usage
 * ```ts
 * import { auditSummary } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(auditSummary({ high: 1, medium: 0, low: 7 }), "1 high, 0 medium, 7 low");
 * ```
 */
export function auditSummary(counts: Readonly<Record<Severity, number>>): string {
  return SEVERITIES.map((severity) => `${counts[severity]} ${severity}`).join(", ");
}

/**
 * A finding as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { findingRecord, toJson } from "@pagewalk/pagewalk/report";
 *
 * await using guest = await connect("sim:");
 * for await (const found of guest.audit()) console.log(toJson(findingRecord(found)));
 * ```
 */
export function findingRecord(found: Finding): Record<string, unknown> {
  const { rule, severity, address, lengthBytes, message, evidence, process } = found;
  const { entry, ...others } = evidence;
  return {
    ...{ rule, severity, address, lengthBytes, message },
    ...process && { process },
    evidence: {
      ...others,
      ...entry && { entry: entryRecord(entry) },
    },
  };
}
