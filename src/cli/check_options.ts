import type { Expectation } from "../verify/expectation.ts";
import { flag, type FlagOption, oneOf, type OptionValues, type ValueOption } from "./options.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { activity } from "./activity.ts";
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
