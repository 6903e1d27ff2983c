/**
 * The prompt of `repl.ts`, to be started with your own helpers in it, and its helpers for scripts.
 * Unlike the SDK, this needs acorn, which parses what is typed.
 *
 * @module
 */
export { type ReplHelpers, replHelpers } from "./repl_helpers.ts";
export { replay } from "./replay.ts";
export { startRepl, type StartReplOptions } from "./start_repl.ts";
