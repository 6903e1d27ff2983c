import * as sdk from "../../mod.ts";
import * as report from "../report/mod.ts";

/** What the prompt has of the SDK: all that users import, and the printers of results. */
export const SDK: Readonly<Record<string, unknown>> = { ...sdk, ...report };

/** The names that come from the printers' entry. */
export const REPORT_NAMES: readonly string[] = Object.keys(report);
