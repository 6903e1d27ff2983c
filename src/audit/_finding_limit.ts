import { type Finding, finding } from "./finding.ts";
import { type AuditRuleName, SEVERITIES } from "./rules.ts";

/**
 * Lets so many findings of each rule through, and counts the others: tables made to that end have
 * millions, and those of one rule are not to hide another's.
 */
export class FindingLimit {
  readonly #most: number;
  readonly #found = new Map<AuditRuleName, { count: number; worst: Finding }>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether a finding is one of the first of its rule. */
  takes(found: Finding): boolean {
    const { count, worst } = this.#found.get(found.rule) ?? { count: 0, worst: found };
    const isWorse = SEVERITIES.indexOf(found.severity) < SEVERITIES.indexOf(worst.severity);
    this.#found.set(found.rule, { count: count + 1, worst: isWorse ? found : worst });
    // The first of a more severe kind is let through wherever it comes.
    return count < this.#most || isWorse;
  }

  /** One finding for each rule of which some were left out. */
  *leftOut(): Generator<Finding> {
    for (const [rule, { count, worst }] of this.#found) {
      if (count <= this.#most) continue;
      const message = `Only the first ${this.#most} of ${count} findings of ${rule} are listed: ` +
        "audit a range, or raise maxFindings";
      const { severity } = worst;
      yield finding("not-audited", { address: 0n, lengthBytes: 0 }, { message, severity });
    }
  }
}
