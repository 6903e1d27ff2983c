import { isLater } from "./iteration.ts";
import { NeedsWaitingError } from "./needs_waiting_error.ts";

/** A callback for functions of JavaScript's own that cannot wait for what it returns. */
export function guarded(callback: unknown): unknown {
  if (typeof callback !== "function") return callback;
  return function (this: unknown, ...args: unknown[]) {
    const value = Reflect.apply(callback, this, args);
    if (!isLater(value)) return value;
    throw new NeedsWaitingError(`what ${callback.name || "the callback"} returns`);
  };
}
