import type { Mapping } from "../translate/mappings.ts";
import type { ListedSpan } from "../translate/listing_records.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import type { Rights } from "../translate/rights.ts";
import { AUDIT_RULES, type AuditRuleName, type Severity } from "./rules.ts";

/** What a finding rests on. */
export interface Evidence {
  /** The first entry that shows it. */
  readonly entry?: PageTableEntry;
  /** The guest-physical address of the first page. */
  readonly physicalAddress?: bigint;
  /** What all levels allow together. */
  readonly effective?: Rights;
  /** How the pages may be cached. */
  readonly cacheType?: string;
  /** For a device's memory: the devices that reach it, such as `00:03.0`. */
  readonly devices?: readonly string[];
  /** For a frame: one address for each way in which it is mapped. */
  readonly mappings?: readonly FrameMapping[];
}

/** One way in which a frame is mapped. */
export interface FrameMapping {
  /** A linear address of it. */
  readonly address: bigint;
  /** What all levels allow there. */
  readonly effective: Rights;
  /** How it may be cached there. */
  readonly cacheType: string;
  /** In whose tables, where those of several processes are compared; else, and for the kernel's, none. */
  readonly process?: ProcessName;
}

/** Which process. */
export interface ProcessName {
  /** The process id. */
  readonly pid: number;
  /** The process's name. */
  readonly comm: string;
}

/** Something that an audit found. */
export interface Finding extends ListedSpan {
  /** The rule that found it. */
  readonly rule: AuditRuleName;
  /** How much it matters. */
  readonly severity: Severity;
  /** What is the matter, in one sentence without the address. */
  readonly message: string;
  /** What it rests on. */
  readonly evidence: Evidence;
  /** Whose tables show it, where those of all processes are audited; none if it is the kernel's. */
  readonly process?: ProcessName;
}

/** What may differ from one finding of a rule to the next. */
export interface FindingDetails {
  /** The severity, if it is not the rule's. */
  readonly severity?: Severity;
  /** The sentence, if it is not the rule's summary. */
  readonly message?: string;
  /** What it rests on. */
  readonly evidence?: Evidence;
}

/** Makes a finding of a rule. */
export function finding(
  rule: AuditRuleName,
  { address, lengthBytes }: ListedSpan,
  details: FindingDetails = {},
): Finding {
  const { summary, severity } = AUDIT_RULES[rule];
  return {
    rule,
    severity: details.severity ?? severity,
    address,
    lengthBytes,
    message: details.message ?? summary,
    evidence: details.evidence ?? {},
  };
}

/** The evidence that a mapping is. */
export function evidenceOf({ entry, physicalAddress, effective, cacheType }: Mapping): Evidence {
  return {
    ...entry && { entry },
    ...physicalAddress !== null && { physicalAddress },
    effective,
    cacheType,
  };
}

/** Joins findings of one rule that follow each other without a gap, and say the same. */
export class FindingJoiner {
  readonly #open = new Map<AuditRuleName, Finding>();

  /** Takes the next finding, and returns the one before it if that is complete. */
  *add(next: Finding): Generator<Finding> {
    const last = this.#open.get(next.rule);
    const continues = last !== undefined && last.severity === next.severity &&
      last.message === next.message && last.address + BigInt(last.lengthBytes) === next.address;
    if (last && !continues) yield last;
    this.#open.set(
      next.rule,
      continues ? { ...last, lengthBytes: last.lengthBytes + next.lengthBytes } : next,
    );
  }

  /** Returns what is still open. */
  *end(): Generator<Finding> {
    yield* this.#open.values();
    this.#open.clear();
  }
}
