import { InvalidArgumentError } from "../../core/errors.ts";
import { MAX_PORT } from "./host_port.ts";

const DEBUG_TO_MONITOR = 100;

/**
 * Returns the monitor port that goes with a gdbstub port: by convention 100 above it.
 *
 * @throws {InvalidArgumentError} if either would be no port
 *
 * @example Usage
 * ```ts
 * import { monitorPortFor } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(monitorPortFor(1234), 1334);
 * ```
 */
export function monitorPortFor(debugPort: number): number {
  const highest = MAX_PORT - DEBUG_TO_MONITOR;
  if (!Number.isInteger(debugPort) || debugPort < 1 || debugPort > highest) {
    throw new InvalidArgumentError(
      `Not a debug port: ${debugPort}; it must be 1 to ${highest}, as the monitor is ${DEBUG_TO_MONITOR} above`,
      debugPort,
    );
  }
  return debugPort + DEBUG_TO_MONITOR;
}
