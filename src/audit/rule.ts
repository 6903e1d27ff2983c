/** How much a finding matters. */
export type Severity = "high" | "medium" | "low";

/** What a rule looks for. */
export interface AuditRule {
  /** What is wrong, in a few words. */
  readonly summary: string;
  /** Why it matters, and when it is harmless. */
  readonly help: string;
  /** The severity of most of its findings. */
  readonly severity: Severity;
}
