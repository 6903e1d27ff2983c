import * as devices from "../entries/devices.ts";
import * as extend from "../entries/extend.ts";
import * as linux from "../entries/linux.ts";
import * as sdk from "../../mod.ts";
import * as report from "../report/mod.ts";

/** The package's entries, by the modules that they are: in a checkout, or wherever they came from. */
const ENTRIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  [import.meta.resolve("../../mod.ts")]: sdk,
  [import.meta.resolve("../entries/devices.ts")]: devices,
  [import.meta.resolve("../entries/extend.ts")]: extend,
  [import.meta.resolve("../entries/linux.ts")]: linux,
  [import.meta.resolve("../report/mod.ts")]: report,
};

/** What the prompt has of the SDK: all that users import. */
export const SDK: Readonly<Record<string, unknown>> = Object.assign({}, ...Object.values(ENTRIES));

/** The names of an entry of the package. */
export interface EntryNames {
  /** The module that exports them. */
  readonly module: string;
  readonly names: readonly string[];
}

/** The entries with their names, that of the SDK first. */
export const SDK_ENTRIES: readonly EntryNames[] = Object.entries(ENTRIES)
  .map(([module, exported]) => ({ module, names: Object.keys(exported) }));
