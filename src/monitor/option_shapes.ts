import {
  BOOLEAN,
  LIST,
  MILLISECONDS,
  type OptionShape,
  SIGNAL,
  wholeNumberFrom,
} from "../core/options.ts";
import type { CommandLimits } from "./_command_queue.ts";
import type { ConnectHmpOptions } from "./connect_hmp.ts";
import type { ConnectQmpOptions } from "./connect_qmp.ts";
import type { HmpClientOptions } from "./hmp_client.ts";
import type { CommandOptions } from "./monitor.ts";
import type { QmpClientOptions } from "./qmp_client.ts";

/** The checks of {@linkcode CommandOptions}. */
export const COMMAND_SHAPE: OptionShape<CommandOptions> = {
  signal: SIGNAL,
  timeoutMs: MILLISECONDS,
  cpu: wholeNumberFrom(0),
  allowUnsafe: LIST,
};

/** What is near to the options of a command, and none. */
export const COMMAND_INSTEAD: Readonly<Record<string, string>> = {
  timeout: "timeoutMs",
  commandTimeoutMs: "timeoutMs",
};

/** The checks of {@linkcode CommandLimits}. */
export const LIMITS_SHAPE: OptionShape<CommandLimits> = {
  commandTimeoutMs: MILLISECONDS,
  maxReplyBytes: wholeNumberFrom(1),
  allowUnsafe: LIST,
};

/** The checks of {@linkcode QmpClientOptions}. */
export const QMP_CLIENT_SHAPE: OptionShape<QmpClientOptions> = {
  ...LIMITS_SHAPE,
  bannerTimeoutMs: MILLISECONDS,
  signal: SIGNAL,
};

/** The checks of {@linkcode HmpClientOptions}. */
export const HMP_CLIENT_SHAPE: OptionShape<HmpClientOptions> = {
  ...QMP_CLIENT_SHAPE,
  nudge: BOOLEAN,
};

/** The checks of {@linkcode ConnectHmpOptions}. */
export const CONNECT_HMP_SHAPE: OptionShape<ConnectHmpOptions> = {
  ...HMP_CLIENT_SHAPE,
  connectTimeoutMs: MILLISECONDS,
};

/** The checks of {@linkcode ConnectQmpOptions}. */
export const CONNECT_QMP_SHAPE: OptionShape<ConnectQmpOptions> = {
  ...QMP_CLIENT_SHAPE,
  connectTimeoutMs: MILLISECONDS,
};

/** What a client's own options are called in messages. */
export const CONNECTION = "the options of a connection";
