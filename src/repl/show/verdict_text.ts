import { escapeMessage } from "../../core/escape.ts";
import type { Style } from "../../report/style.ts";
import type { Walk } from "../../translate/walk.ts";
import type { Verdict, VerdictKind } from "../../verify/verdict.ts";
import { walkText } from "./walk_text.ts";

/** Writes a verdict: the walk it judges, then whether it is as expected and why. */
export function verdictText(
  verdict: Verdict,
  style: Style,
  written: (walk: Walk, style: Style) => string = walkText,
): string {
  return `${written(verdict.walk, style)}\n${verdictWord(verdict.verdict, style)}: ${
    escapeMessage(verdict.reason)
  }`;
}

/** `PASS`, `FAIL` or `INCONCLUSIVE`, painted. */
function verdictWord(kind: VerdictKind, style: Style): string {
  return (kind === "pass" ? style.good : style.bad)(kind.toUpperCase());
}
