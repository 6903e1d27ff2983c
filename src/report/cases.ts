import { escapeMessage } from "../core/escape.ts";
import type { VerdictKind } from "../verify/verdict.ts";

/** One thing that was verified, as test reports have it: a page, a run of addresses, a guest. */
export interface VerifiedCase {
  /** What was verified: an address, say. */
  readonly name: string;
  /** How it fared; `error` if it could not be checked at all. */
  readonly verdict: VerdictKind | "error";
  /** Why, in one sentence. */
  readonly reason: string;
}

/** Writes cases in a form that test harnesses read. */
export interface CaseWriter {
  /** The text before the cases; empty if there is none. */
  head(): string;
  /** The text of one case; empty if the end has it. */
  line(one: VerifiedCase): string;
  /**
   * The text behind the cases. A result that no case shows becomes one, as a harness takes a report without a
   * failed case for a success.
   */
  end(verdict: VerifiedCase["verdict"]): string;
}

/** What is said where nothing that was listed is the reason of the result. */
function overall(verdict: VerifiedCase["verdict"]): VerifiedCase {
  return { name: "the check as a whole", verdict, reason: `the result is ${verdict}` };
}

/**
 * Writes cases as TAP, version 14 (testanything.org): one line each.
 *
 * @example Usage
 * ```ts
 * import { TapCases } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const tap = new TapCases();
 * const line = tap.line({ name: "0x1000", verdict: "fail", reason: "_PAGE_USER is set" });
 * assertEquals([tap.head(), line, tap.end("fail")], [
 *   "TAP version 14",
 *   "not ok 1 - 0x1000 _PAGE_USER is set",
 *   "1..1",
 * ]);
 * ```
 */
export class TapCases implements CaseWriter {
  #count = 0;
  #isPass = true;

  /** The first line. */
  head(): string {
    return "TAP version 14";
  }

  /** The line of one case. */
  line({ name, verdict, reason }: VerifiedCase): string {
    this.#count++;
    this.#isPass &&= verdict === "pass";
    // A bare # would start a directive, and a backslash escapes it: TAP 14, "Directives".
    const description = escapeMessage(`${name} ${reason}`).replace(/[\\#]/g, "\\$&");
    return `${verdict === "pass" ? "ok" : "not ok"} ${this.#count} - ${description}`;
  }

  /** The last line: how many there were. */
  end(verdict: VerifiedCase["verdict"]): string {
    const lines = this.#isPass && verdict !== "pass" ? [this.line(overall(verdict))] : [];
    return [...lines, `1..${this.#count}`].join("\n");
  }
}

/**
 * Writes cases as the XML of JUnit that CI systems read: a page that is not as expected is a failure, one that
 * could not be judged an error. All is written at the end, as it begins with the counts.
 *
 * @example Usage
 * ```ts
 * import { JUnitCases } from "@pagewalk/pagewalk/report";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const junit = new JUnitCases("verify_range");
 * junit.line({ name: "0x1000", verdict: "fail", reason: "_PAGE_USER is set" });
 * assertStringIncludes(junit.end("fail"), '<testcase classname="verify_range" name="0x1000">');
 * ```
 */
export class JUnitCases implements CaseWriter {
  readonly #suite: string;
  readonly #cases: string[] = [];
  #failures = 0;
  #errors = 0;

  /** Writes one suite of this name. */
  constructor(suite: string) {
    this.#suite = xml(suite);
  }

  /** Nothing: the counts come first. */
  head(): string {
    return "";
  }

  /** Nothing: the end has it. */
  line({ name, verdict, reason }: VerifiedCase): string {
    const start = `    <testcase classname="${this.#suite}" name="${xml(name)}"`;
    if (verdict === "pass") {
      this.#cases.push(`${start}/>`);
      return "";
    }
    const kind = verdict === "fail" ? "failure" : "error";
    if (verdict === "fail") this.#failures++;
    else this.#errors++;
    const what = `      <${kind} type="${verdict}" message="${xml(reason)}"/>`;
    this.#cases.push(`${start}>\n${what}\n    </testcase>`);
    return "";
  }

  /** The whole report. */
  end(verdict: VerifiedCase["verdict"]): string {
    if (verdict !== "pass" && this.#failures + this.#errors === 0) this.line(overall(verdict));
    const counts =
      `tests="${this.#cases.length}" failures="${this.#failures}" errors="${this.#errors}"`;
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites ${counts}>`,
      `  <testsuite name="${this.#suite}" ${counts} skipped="0">`,
      ...this.#cases,
      "  </testsuite>",
      "</testsuites>",
    ].join("\n");
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Text in an attribute: without what XML 1.0 does not allow ("Char"), escaped or not. */
function xml(text: string): string {
  return escapeMessage(text)
    .replace(/[^\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
