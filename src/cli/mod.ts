/**
 * What the example scripts share beside the SDK itself: arguments, usage texts, error lines and exit
 * codes. A script imports everything from here, so that copying one takes changing one line. Unlike
 * the SDK, this needs `@std/cli`.
 *
 * @module
 */
export * from "../../mod.ts";
export type { CommandSpec, Positional } from "./command_spec.ts";
export { type CommandArguments, EXIT, exitCodeOf, runCommand } from "./command.ts";
export {
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
export {
  CONNECT_OPTIONS,
  connectOptions,
  type ConnectOptionSpecs,
  connectTo,
  type ConnectValues,
  MONITOR,
  TABLE_OPTIONS,
  tableChoice,
  type TableOptionSpecs,
  type TableValues,
} from "./guest_options.ts";
export { readTextInput } from "./text_input.ts";
export { usageText } from "./usage.ts";
export { LineWriter } from "./line_writer.ts";
export { mappingFilters } from "./mapping_filters.ts";
export { parseRangeText } from "./parse_range.ts";
export { parseSize } from "./parse_size.ts";
export { ProgressBar, type ProgressState } from "./progress.ts";
