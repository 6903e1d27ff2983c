import { formatAddress } from "../core/address.ts";
import { escapeMessage } from "../core/escape.ts";
import { checkOptions, given, TEXT } from "../core/options.ts";
import type { Finding } from "../audit/finding.ts";
import { AUDIT_RULES, type AuditRuleName, type Severity } from "../audit/rules.ts";
import { processText } from "./all_text.ts";
import { findingRecord } from "./audit_text.ts";

/** What a SARIF log says besides the findings. */
export interface SarifOptions {
  /**
   * What was audited, as the file that code-scanning pages show findings in.
   *
   * @default {"guest"}
   */
  readonly artifact?: string;
  /** The version of pagewalk. */
  readonly version?: string;
}

/** SARIF's levels (OASIS SARIF 2.1.0, 3.27.10), and the score by which GitHub sorts security alerts. */
const LEVELS: Readonly<Record<Severity, { level: string; score: string }>> = {
  high: { level: "error", score: "8.0" },
  medium: { level: "warning", score: "5.0" },
  low: { level: "note", score: "2.0" },
};

/**
 * Makes a SARIF 2.1.0 log of findings, as code-scanning pages take it. Write it with `toJson`.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { sarifLog, toJson } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const findings = await Array.fromAsync(guest.audit());
 * const log = sarifLog(findings, { artifact: "sim" });
 * assertEquals(JSON.parse(toJson(log)).version, "2.1.0");
 * ```
 */
export function sarifLog(
  findings: readonly Finding[],
  options: SarifOptions = {},
): Record<string, unknown> {
  checkOptions(options, "the options of a SARIF log", { artifact: TEXT, version: TEXT });
  const names = Object.keys(AUDIT_RULES) as AuditRuleName[];
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [{
      tool: {
        driver: {
          name: "pagewalk",
          ...given({ version: options.version }),
          rules: names.map(ruleDescriptor),
        },
      },
      results: findings.map((found) => result(found, names, options.artifact ?? "guest")),
    }],
  };
}

function ruleDescriptor(id: AuditRuleName): Record<string, unknown> {
  const { summary, help, severity } = AUDIT_RULES[id];
  return {
    id,
    shortDescription: { text: summary },
    fullDescription: { text: help },
    help: { text: help },
    defaultConfiguration: { level: LEVELS[severity].level },
    properties: { tags: ["security"], "security-severity": LEVELS[severity].score },
  };
}

function result(
  found: Finding,
  names: readonly AuditRuleName[],
  artifact: string,
): Record<string, unknown> {
  const where = formatAddress(found.address);
  const { process } = found;
  const whose = process ? ` of ${processText(process)}` : "";
  return {
    ruleId: found.rule,
    ruleIndex: names.indexOf(found.rule),
    level: LEVELS[found.severity].level,
    message: {
      text: plainMessage(`${found.message}: ${where}${whose}, ${found.lengthBytes} bytes`),
    },
    locations: [{
      // GitHub shows only results with a file and a line; addresses are not lines, so it is the first.
      physicalLocation: { artifactLocation: { uri: uriOf(artifact) }, region: { startLine: 1 } },
      logicalLocations: [{ fullyQualifiedName: where, kind: "address" }],
    }],
    // The same finding of the next run is the same alert.
    partialFingerprints: {
      "pagewalkFinding/v1": `${found.rule}:${where}${process ? `:${process.comm}` : ""}`,
    },
    properties: findingRecord(found),
  };
}

/** Text in which SARIF sees no link and no placeholder (3.11.5, 3.11.6). */
function plainMessage(text: string): string {
  return escapeMessage(text).replace(/[\\[\]]/g, "\\$&").replace(/[{}]/g, "$&$&");
}

/** A path, or whatever a guest is called, as a relative reference of RFC 3986. */
function uriOf(artifact: string): string {
  return artifact.toWellFormed().split("/").map(encodeURIComponent).join("/");
}
