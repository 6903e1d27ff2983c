/** One state of an address space in a report. */
export interface ReportSide {
  /** What it is called in the page. */
  readonly name: string;
  /** The snapshot's file, in base64. */
  readonly file: string;
  /** What is where, if it is known: memory areas, files, and what the kernel's part is for. */
  readonly names?: readonly ReportName[];
}

/** A range of addresses, and what is there. */
export interface ReportName {
  /** The first address, as `0x…`. */
  readonly start: string;
  /** The address after the last, as `0x…`. */
  readonly end: string;
  /** What is there. */
  readonly name: string;
}

/** What is wrong at an address, as the page shows it. */
export interface ReportFinding {
  /** The rule's name. */
  readonly rule: string;
  /** How much it matters: high, medium or low. */
  readonly severity: string;
  /** Where, as `0x…`. */
  readonly address: string;
  /** The finding in one line. */
  readonly text: string;
}

/** What a report's page is made from. It stands in the page as JSON. */
export interface ReportData {
  /** The page's title. */
  readonly title: string;
  /** One state, or two to compare. */
  readonly sides: readonly ReportSide[];
  /** What an audit found. */
  readonly findings: readonly ReportFinding[];
}
