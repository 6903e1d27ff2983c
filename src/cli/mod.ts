/**
 * What the example scripts share: arguments, usage texts, error lines and exit codes, and the part of
 * the SDK that checking one page takes. A script that does no more imports from here alone, so that it
 * starts quickly and that copying it takes changing one line; others also import the rest of the SDK.
 * Unlike the SDK, this needs `@std/cli`.
 *
 * @module
 */

// The part of the SDK that checking one page takes
export { type AddressLike, addressNotation, formatAddress, parseAddress } from "../core/address.ts";
export { InvalidArgumentError, PagewalkError } from "../core/errors.ts";
export { escapeLines, escapeMessage, escapeText } from "../core/escape.ts";
export { describeNoTables } from "../translate/no_tables.ts";
export { describeReservedBits } from "../translate/reserved_bits.ts";
export { levelDecoders, spanAt, withRoot } from "../translate/regime.ts";
export { type PageTableEntry, tableIndex } from "../translate/entry.ts";
export { readRegisters } from "../monitor/commands/registers.ts";
export { parseEndpoint, permissionFor } from "../connectors/registry.ts";
import "../connectors/table.ts";
export type { Endpoint } from "../monitor/endpoint.ts";
export { ConnectError, MonitorError } from "../monitor/errors.ts";
export { type MappedWalk, type Walk, walk } from "../translate/walk.ts";
export { toJson, verdictRecord, walkRecord } from "../report/json.ts";
export type { VerifiedCase } from "../report/cases.ts";
export { formatSize } from "../report/size.ts";
export { whoMapsIt } from "../session/whose_tables.ts";
export { verificationText, type VerificationTextOptions } from "../report/verification_text.ts";
export { notMappedAdvice } from "./not_mapped_advice.ts";
export type { ConnectOptions } from "../session/connect_parts.ts";
export type { GuestWalk } from "../session/guest_walk.ts";
export type { GuestSession, GuestVerdict } from "../session/guest_session.ts";
export type { Session } from "../session/session.ts";
export { describeSource, type TableChoice } from "../session/table_choice.ts";
export type { WatchEvent } from "../session/watch.ts";
export { type Tally, tally } from "../verify/tally.ts";
export { judge, type Verdict, type VerdictKind } from "../verify/verdict.ts";

// Arguments, usage, exit codes
export { ALL_OPTIONS, allBounds, type AllOptionSpecs, type AllValues } from "./all_option.ts";
export {
  addressArgument,
  durationArgument,
  flag,
  type FlagOption,
  oneOf,
  type OptionSpecs,
  type OptionValues,
  parseCommandLine,
  value,
  type ValueOption,
  wholeNumber,
} from "./options.ts";
export { another } from "./another.ts";
export { connectTo } from "./connect_to.ts";
export {
  EXPECT_OPTIONS,
  expectationOf,
  type ExpectOptionSpecs,
  FREEZE_OPTION,
  type FreezeOptionSpecs,
  type FreezeValues,
  OUTPUT_OPTIONS,
  type OutputOptionSpecs,
  reading,
  readingOnce,
  type VerdictOutput,
  verdictOutput,
} from "./check_options.ts";
export type { CommandSpec, Positional } from "./command_spec.ts";
export { counted } from "./activity.ts";
export { type CommandArguments, EXIT, exitCodeOf, runCommand } from "./command.ts";
export {
  ADDRESS,
  CONNECT_OPTIONS,
  connectOptions,
  type ConnectOptionSpecs,
  type ConnectValues,
  DEVICE_OPTIONS,
  DEVICE_TABLE_OPTIONS,
  type DeviceOptionSpecs,
  type DeviceTableOptionSpecs,
  type DeviceValues,
  MONITOR,
  PROCESS_OPTIONS,
  processChoice,
  type ProcessOptionSpecs,
  type ProcessValues,
  TABLE_OPTIONS,
  tableChoice,
  type TableOptionSpecs,
  type TableValues,
} from "./guest_options.ts";
export {
  LISTING_OPTIONS,
  type ListingBounds,
  listingBounds,
  type ListingOptionSpecs,
  type ListingValues,
} from "./listing_options.ts";
export { GUEST_OR_SNAPSHOT, isSnapshotFile, readSnapshot } from "./snapshot_input.ts";
export { readListInput, readTextInput } from "./text_input.ts";
export { usageText } from "./usage.ts";
export { LimitedLines, LineWriter } from "./line_writer.ts";
export { mappingFilters } from "./mapping_filters.ts";
export { namerFor, NAMES_OPTION, type NamesOptionSpecs } from "./naming.ts";
export { parseRangeText } from "./parse_range.ts";
export { parseSize } from "./parse_size.ts";
export { ProgressBar, type ProgressState } from "./progress.ts";
