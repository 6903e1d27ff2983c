/**
 * Results as text for people, and as JSON, CSV, TAP, SARIF, HTML and SVG for other programs.
 *
 * @example A verdict as `qemu_verify_pte.ts` prints it
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { verificationText } from "@pagewalk/pagewalk/report";
 * import { assert } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const verdict = await guest.verify(0x7f1234567000n);
 * assert(verificationText(verdict, { source: "vCPU 0" }).includes("Verification PASSED"));
 * ```
 *
 * @module
 */
export {
  type AccessNow,
  oopsLines,
  type OopsOfRecord,
  oopsRecord,
  type OopsTextParts,
} from "./oops_text.ts";
export { aliasLine, aliasRecord, type AllTally, allTallyText, processText } from "./all_text.ts";
export { areaLine, type AreaOfLine, areaRecord, memorySumsLine } from "./area_text.ts";
export { layoutText, type LayoutTextOptions, memberLine } from "./layout_text.ts";
export type { LineOptions } from "./line_options.ts";
export { logText } from "./log_text.ts";
export { moduleLine, type ModuleOfLine, modulesHead } from "./modules_text.ts";
export { openFileLine, openFilesHead, type ProcessOfFile } from "./open_files_text.ts";
export { elfProcessesHead, elfProcessLine } from "./elf_processes_text.ts";
export { xv6Tables, type Xv6TablesOptions } from "./xv6_tables.ts";
export { xv6EntryLine, xv6WalkText } from "./xv6_text.ts";
export { processesHead, processLine, type ProcessOfLine, threadLine } from "./processes_text.ts";
export { symbolLine, symbolName } from "./symbol_text.ts";
export { auditSummary, findingLine, findingRecord } from "./audit_text.ts";
export { sarifLog, type SarifOptions } from "./sarif.ts";
export {
  differenceLine,
  differenceRecord,
  type DifferenceRun,
  differenceRunLine,
  differenceRuns,
} from "./diff_text.ts";
export { privilegesRecord, type RootSource, toJson, verdictRecord, walkRecord } from "./json.ts";
export { htmlReport, toBase64 } from "./html/html_report.ts";
export type {
  ReportData,
  ReportFeed,
  ReportFinding,
  ReportRegion,
  ReportSide,
} from "./html/page_data.ts";
export {
  type LiveReport,
  type ServedReport,
  serveReport,
  type ServeReportOptions,
} from "./html/serve_report.ts";
export {
  MAPPING_CSV_HEAD,
  mappingCsv,
  type MappingNames,
  mappingRecord,
} from "./mappings_record.ts";
export { mappingLine, mappingsHead, rightsText } from "./mappings_text.ts";
export { rangeRecord } from "./range_record.ts";
export { rangeSummary, rangeText, type RangeTextOptions } from "./range_text.ts";
export { type DrawingOptions, toSvg } from "./svg/to_svg.ts";
export { formatSize } from "./size.ts";
export { COLOUR, PLAIN, type Style, styleForStdout } from "./style.ts";
export { type CaseWriter, JUnitCases, TapCases, type VerifiedCase } from "./cases.ts";
export { partCase, TapWriter } from "./tap.ts";
export { verificationText, type VerificationTextOptions } from "./verification_text.ts";
export { frameRecord, frameText } from "./frame_text.ts";
export { vfioCase, vfioLine, vfioRecord, vfioSummary } from "./vfio_text.ts";
export {
  IOMMU_CSV_HEAD,
  iommuDeviceCsv,
  iommuDeviceLine,
  iommuDeviceRecord,
  iommuDevicesHead,
  iommuMappingCsv,
  iommuMappingRecord,
  type ShownDevice,
} from "./iommu_text.ts";
