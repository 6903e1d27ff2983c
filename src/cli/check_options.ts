import type { Expectation } from "../verify/expectation.ts";
import { flag, type FlagOption, oneOf, type OptionValues, type ValueOption } from "./options.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { activity } from "./activity.ts";
import type { VerifiedCase } from "../report/cases.ts";
import type { GuestSession } from "../session/guest_session.ts";

/** What says how `_PAGE_USER` should be. */
export type ExpectOptionSpecs = {
  /** What the bit should be. */
  readonly expect: ValueOption<"cleared" | "set">;
  /** Whether all levels are judged together. */
  readonly effective: FlagOption;
};

/** The options that say how `_PAGE_USER` should be. */
export const EXPECT_OPTIONS: ExpectOptionSpecs = {
  expect: oneOf(["cleared", "set"], "what _PAGE_USER should be (default cleared)"),
  effective: flag("judge the effective rights of all levels, not the last entry alone"),
};

/** Turns a script's options into what is expected of a page. */
export function expectationOf(options: OptionValues<ExpectOptionSpecs>): Expectation {
  return {
    user: options.expect === "set",
    scope: options.effective ? "effective" : "leaf",
  };
}

/** What pauses a guest for the reading. */
export type FreezeOptionSpecs = {
  /** Whether the guest is paused. */
  readonly freeze: FlagOption;
};

/** The option that pauses the guest for the reading. */
export const FREEZE_OPTION: FreezeOptionSpecs = {
  freeze: flag("pause the guest while reading, for a consistent state, then restore its run state"),
};

/** What pausing needs to know of a script's options. */
export interface FreezeValues extends OptionValues<FreezeOptionSpecs> {
  /** How long to sample, in milliseconds. */
  readonly sample?: number | undefined;
  /** A process's id. */
  readonly pid?: number | undefined;
  /** A process's name. */
  readonly comm?: string | undefined;
  /** A part of a process's command line. */
  readonly cmdline?: string | undefined;
  /** A process's cgroup. */
  readonly cgroup?: string | undefined;
  /** A process's id inside its container. */
  readonly nspid?: number | undefined;
}

/**
 * Reads a guest while it is paused, if `--freeze` asks for that, and leaves it as it was: running or paused.
 *
 * @throws {InvalidArgumentError} with `--sample`: a paused guest schedules no other process
 */
export async function reading<T>(
  guest: GuestSession,
  options: FreezeValues,
  block: () => Promise<T>,
): Promise<T> {
  const { pid, comm, cmdline, cgroup, nspid } = options;
  const names = [pid, comm, cmdline, cgroup, nspid].some((name) => name !== undefined);
  if (options.sample !== undefined) activity.say("waiting for a vCPU whose tables map the address");
  else if (names) activity.say("finding the guest's kernel and the process");
  if (!options.freeze) return await block();
  if (options.sample !== undefined) {
    throw new InvalidArgumentError(
      "--freeze and --sample exclude each other: a paused guest schedules no other process; " +
        "name the process (--pid, --comm) or the tables (--root)",
      options,
    );
  }
  // Finding the kernel takes seconds, and what is found does not change.
  if (names) await guest.linux();
  return await guest.frozen(block);
}

/**
 * As {@linkcode reading}, for what reads each table once and not again: on a terminal it is said that a
 * guest which ran meanwhile may have changed them.
 *
 * @throws {InvalidArgumentError} as {@linkcode reading}
 */
export async function readingOnce<T>(
  guest: GuestSession,
  options: FreezeValues,
  block: () => Promise<T>,
): Promise<T> {
  const result = await reading(guest, options, block);
  if (!options.freeze && Deno.stderr.isTerminal() && await isRunning(guest)) {
    console.error(
      "note: the guest was running and each table was read once: --freeze gives a consistent state",
    );
  }
  return result;
}

async function isRunning(guest: GuestSession): Promise<boolean> {
  const [{ readStatus }, { NoMonitorError }] = await Promise.all([
    import("../monitor/commands/read_state.ts"),
    import("../connectors/connector.ts"),
  ]);
  try {
    return (await readStatus(guest.monitor)).running;
  } catch (error) {
    // A dump does not move.
    if (error instanceof NoMonitorError) return false;
    throw error;
  }
}

/** What chooses how a verification is told. */
export type OutputOptionSpecs = {
  /** JSON. */
  readonly json: FlagOption;
  /** TAP. */
  readonly tap: FlagOption;
  /** JUnit's XML. */
  readonly junit: FlagOption;
  /** Nothing. */
  readonly quiet: FlagOption;
};

/** The options of a script that verifies: what it prints on standard output instead of text. */
export const OUTPUT_OPTIONS: OutputOptionSpecs = {
  json: flag("print JSON: one object for one answer, one a line for many"),
  tap: flag("print TAP 14: one line for each page, range or guest"),
  junit: flag("print JUnit XML: one test case for each page, range or guest"),
  quiet: flag("print nothing on standard output: the exit code is the verdict"),
};

/** What a script prints, by {@linkcode OUTPUT_OPTIONS}. */
export interface VerdictOutput {
  /** Whether it prints text for people. */
  readonly isText: boolean;
  /** Whether it prints JSON. */
  readonly isJson: boolean;
  /** Prints a line of text, and nothing in the other forms. */
  say(line: string): void;
  /** Counts a case of a test report, in the forms that are one. */
  add(one: VerifiedCase): void;
  /** Ends a test report, in the forms that are one. */
  end(verdict: VerifiedCase["verdict"]): void;
}

/**
 * Begins the output that the options choose. `suite` is what a test report is called.
 *
 * @throws {InvalidArgumentError} if they choose two
 */
export async function verdictOutput(
  options: OptionValues<OutputOptionSpecs>,
  suite: string,
): Promise<VerdictOutput> {
  const chosen = (["json", "tap", "junit", "quiet"] as const).filter((name) => options[name]);
  if (chosen.length > 1) {
    const names = chosen.map((name) => `--${name}`).join(" and ");
    throw new InvalidArgumentError(`Choose one output: ${names} exclude each other`, chosen);
  }
  const [form = "text"] = chosen;
  const print = (text: string) => text !== "" && console.log(text);
  const cases = form === "tap" || form === "junit" ? await import("../report/cases.ts") : null;
  const writer = cases && (form === "tap" ? new cases.TapCases() : new cases.JUnitCases(suite));
  let hasBegun = false;
  function begin(): void {
    if (writer && !hasBegun) print(writer.head());
    hasBegun = true;
  }
  return {
    isText: form === "text",
    isJson: form === "json",
    say: (line) => void (form === "text" && console.log(line)),
    add(one) {
      begin();
      if (writer) print(writer.line(one));
    },
    end(verdict) {
      begin();
      if (writer) print(writer.end(verdict));
    },
  };
}
