import { formatAddress } from "../core/address.ts";
import { escapeMessage } from "../core/escape.ts";
import type { JudgedPart } from "../verify/range_verdict.ts";

/**
 * Writes what was judged as TAP, version 14 (testanything.org): one line for each page, and one for
 * each run of addresses without a page, which is not ok unless none was expected.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { TapWriter } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const tap = new TapWriter();
 * const lines = [tap.head()];
 * await guest.verifyRange(0x7f1234567000n, 4096, { user: false }, {
 *   onParts: (parts) => lines.push(...parts.map((part) => tap.line(part))),
 * });
 * assertEquals([...lines, tap.end()].join("\n"), [
 *   "TAP version 14",
 *   "ok 1 - 0x7f1234567000 _PAGE_USER is cleared in the PTE",
 *   "1..1",
 * ].join("\n"));
 * ```
 */
export class TapWriter {
  #count = 0;

  /** The first line. */
  head(): string {
    return "TAP version 14";
  }

  /** The line of one part. */
  line(part: JudgedPart): string {
    this.#count++;
    const ok = part.verdict === "pass" ? "ok" : "not ok";
    const last = part.address + BigInt(part.lengthBytes) - 1n;
    const where = part.kind === "page"
      ? formatAddress(part.address)
      : `${formatAddress(part.address)}-${formatAddress(last)}`;
    const entry = part.entry && part.verdict !== "pass"
      ? ` (entry ${formatAddress(part.entry.raw)} at ${formatAddress(part.entry.address)})`
      : "";
    // A bare # would start a directive, and a backslash escapes it: TAP 14, "Directives".
    const description = escapeMessage(`${where} ${part.reason}${entry}`).replace(/[\\#]/g, "\\$&");
    return `${ok} ${this.#count} - ${description}`;
  }

  /** The last line: how many there were. */
  end(): string {
    return `1..${this.#count}`;
  }
}
