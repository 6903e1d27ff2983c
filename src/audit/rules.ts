import { DMA_RULES, type DmaRuleName } from "./dma_rules.ts";
import type { AuditRule, Severity } from "./rule.ts";

export type { AuditRule, Severity } from "./rule.ts";

/** The severities, the most severe first. */
export const SEVERITIES: readonly Severity[] = ["high", "medium", "low"];

/** The name of a rule, as it stands in reports. */
export type AuditRuleName =
  | "writable-executable"
  | "user-accessible-kernel-range"
  | "user-writable-table"
  | "reserved-bits"
  | "beyond-physical-addresses"
  | "table-outside-ram"
  | "frame-outside-ram"
  | "frame-writable-and-executable"
  | "frame-rights-differ"
  | "frame-cache-types-differ"
  | "user-leaf-below-supervisor"
  | "supervisor-leaf-in-user-range"
  | "kpti-exposes-kernel"
  | DmaRuleName
  | "not-audited";

/** The rules by name. */
export const AUDIT_RULES: Readonly<Record<AuditRuleName, AuditRule>> = {
  "writable-executable": {
    summary: "Pages may be written and executed",
    help:
      "Code that can write there can run anything. JIT compilers do this in user pages; a kernel " +
      "should not.",
    severity: "high",
  },
  "user-accessible-kernel-range": {
    summary: "User mode may access pages of the kernel's range",
    help:
      "The upper half of the address space belongs to the kernel. Linux's vsyscall page is the " +
      "one exception, and may only be read or executed.",
    severity: "high",
  },
  "user-writable-table": {
    summary: "User mode may write to a page table",
    help: "A process that can write its page tables can map any memory of the machine.",
    severity: "high",
  },
  "reserved-bits": {
    summary: "An entry sets reserved bits",
    help:
      "Every access through it faults with the RSVD flag: the entry is corrupt, or was written for " +
      "a processor with more features.",
    severity: "medium",
  },
  "beyond-physical-addresses": {
    summary: "An entry points beyond the processor's physical addresses",
    help:
      "Address bits at MAXPHYADDR and above are reserved. Check the number given for the guest's " +
      "processor first.",
    severity: "medium",
  },
  "table-outside-ram": {
    summary: "An entry points to a table outside RAM",
    help:
      "The processor would read its entries from a device or from nowhere: the entry is corrupt.",
    severity: "high",
  },
  "frame-outside-ram": {
    summary: "A cacheable page is mapped outside RAM",
    help:
      "Drivers map devices uncached or write-combining. A cacheable mapping of an address without " +
      "RAM is most often a stray frame number.",
    severity: "medium",
  },
  "frame-writable-and-executable": {
    summary: "A frame may be written at one address and executed at another",
    help:
      "No single mapping breaks the rule that nothing is writable and executable; together they do.",
    severity: "high",
  },
  "frame-rights-differ": {
    summary: "A frame is mapped with different rights",
    help:
      "Often on purpose: the kernel's map of all memory next to a read-only one. Mappings of user " +
      "mode and of the kernel are not compared, since all user memory is in the kernel's map, too.",
    severity: "low",
  },
  "frame-cache-types-differ": {
    summary: "A frame is mapped with different cache types",
    help: "The processor may then lose writes or see stale data (Intel SDM vol. 3, 11.12.4).",
    severity: "medium",
  },
  "user-leaf-below-supervisor": {
    summary: "Entries set U/S below a level that clears it",
    help: "User mode cannot access them now, but could as soon as one entry above changes.",
    severity: "low",
  },
  "supervisor-leaf-in-user-range": {
    summary: "Entries clear U/S in the user's range, below levels that all set it",
    help:
      "User mode faults there. This is what a patch that clears _PAGE_USER on pages of a VFIO " +
      "buffer does on purpose.",
    severity: "low",
  },
  "kpti-exposes-kernel": {
    summary: "The user's root maps kernel memory that it should not",
    help:
      "Kernel page-table isolation leaves the entry code, its stacks and the descriptor tables in " +
      "the user's root; everything else can be read by Meltdown.",
    severity: "high",
  },
  ...DMA_RULES,
  "not-audited": {
    summary: "A part of the address space was not audited",
    help: "Its tables could not be read, or there are too many of them.",
    severity: "medium",
  },
};
