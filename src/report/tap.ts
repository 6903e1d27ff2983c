import { formatAddress } from "../core/address.ts";
import type { JudgedPart } from "../verify/range_verdict.ts";
import { TapCases, type VerifiedCase } from "./cases.ts";

/**
 * A part of a range as a case of a test report: a page, or a run of addresses without one, which does not
 * pass unless none was expected.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { partCase } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const names: string[] = [];
 * await guest.verifyRange(0x7f1234567000n, 4096, { user: false }, {
 *   onParts: (parts) => names.push(...parts.map((part) => partCase(part).name)),
 * });
 * assertEquals(names, ["0x7f1234567000"]);
 * ```
 */
export function partCase(part: JudgedPart): VerifiedCase {
  const last = part.address + BigInt(part.lengthBytes) - 1n;
  const name = part.kind === "page"
    ? formatAddress(part.address)
    : `${formatAddress(part.address)}-${formatAddress(last)}`;
  const entry = part.entry && part.verdict !== "pass"
    ? ` (entry ${formatAddress(part.entry.raw)} at ${formatAddress(part.entry.address)})`
    : "";
  return { name, verdict: part.verdict, reason: `${part.reason}${entry}` };
}

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
  readonly #cases = new TapCases();

  /** The first line. */
  head(): string {
    return this.#cases.head();
  }

  /** The line of one part. */
  line(part: JudgedPart): string {
    return this.#cases.line(partCase(part));
  }

  /** The last line: how many there were. */
  end(): string {
    return this.#cases.end("pass");
  }
}
