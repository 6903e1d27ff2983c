import { InvalidArgumentError } from "../core/errors.ts";
import type { AllProgress } from "../session/audit_all.ts";
import {
  flag,
  type FlagOption,
  type OptionValues,
  type ValueOption,
  wholeNumber,
} from "./options.ts";
import type { ProgressBar } from "./progress.ts";

/** What asks for the tables of all processes. */
export type AllOptionSpecs = {
  /** Whether all are asked for. */
  readonly all: FlagOption;
  /** How many tables of all together are visited at the most. */
  readonly "max-all-tables": ValueOption<number>;
};

/** The options that ask for the tables of all processes of a Linux guest. */
export const ALL_OPTIONS: AllOptionSpecs = {
  all: flag("of all processes of a Linux guest: the kernel's tables once, then each process's own"),
  "max-all-tables": wholeNumber(
    "N",
    "with --all: visit at most N tables together (default 1048576)",
    1,
  ),
};

/** The options that name tables themselves. */
const EXCLUDED: readonly (keyof AllValues)[] = [
  ...["range", "pid", "comm", "cmdline", "cpu", "root", "sample"] as const,
];

/** The values of {@linkcode ALL_OPTIONS}, and of what excludes them. */
export type AllValues =
  & OptionValues<AllOptionSpecs>
  & {
    readonly [name in "range" | "pid" | "comm" | "cmdline" | "cpu" | "root" | "sample"]?: unknown;
  };

/**
 * What `--all` adds to the bounds of a listing.
 *
 * @throws {InvalidArgumentError} if other options choose tables as well
 */
export function allBounds(
  options: AllValues,
  bar: ProgressBar,
): { maxAllTables?: number; onProgress: (progress: AllProgress) => void } {
  const other = EXCLUDED.find((name) => options[name] !== undefined);
  if (other !== undefined) {
    throw new InvalidArgumentError(
      `--all and --${other} exclude each other: --all takes the whole tables of all processes`,
      other,
    );
  }
  const { "max-all-tables": maxAllTables } = options;
  return {
    ...maxAllTables !== undefined && { maxAllTables },
    onProgress: ({ of, processes, tables }) =>
      bar.update({
        fraction: processes / Math.max(of, 1),
        text: `${processes} of ${of} processes, ${tables} tables`,
      }),
  };
}
