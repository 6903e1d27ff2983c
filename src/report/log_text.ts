import { escapeLine } from "../core/escape.ts";
import type { LogRecord } from "../linux/printk_ring.ts";

/**
 * Writes a record of the kernel's log as `dmesg` does: seconds since boot before each line of its
 * text. What could act on a terminal is escaped.
 *
 * @example Usage
 * ```ts
 * import { logText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const record = { timeNs: 12_345_678_901n, text: "VFIO - User Level meta-driver" };
 * assertEquals(logText(record), "[   12.345678] VFIO - User Level meta-driver");
 * ```
 */
export function logText({ timeNs, text }: Pick<LogRecord, "timeNs" | "text">): string {
  const seconds = String(timeNs / 1_000_000_000n).padStart(5);
  const micros = String(timeNs / 1000n % 1_000_000n).padStart(6, "0");
  return text.split("\n").map((line) => `[${seconds}.${micros}] ${escapeLine(line)}`).join("\n");
}
