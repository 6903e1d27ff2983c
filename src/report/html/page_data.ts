/** A part of an address space that has a name. */
export interface ReportRegion {
  /** The first linear address, as `0x…`. */
  readonly start: string;
  /** The address after the last, as `0x…`. */
  readonly end: string;
  /** What it is called, such as `heap` or a file's path. */
  readonly name: string;
}

/** One state of an address space in a report. */
export interface ReportSide {
  /** What it is called in the page. */
  readonly name: string;
  /** The snapshot's file, in base64. */
  readonly file: string;
  /** What else is known of it, a line each: the process, the kernel. @default nothing */
  readonly facts?: readonly string[];
  /** Its named parts, in address order. @default none */
  readonly regions?: readonly ReportRegion[];
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

/** How a served page follows the guest. */
export interface ReportFeed {
  /** Where its events come from, from the page's address on. */
  readonly events: string;
  /** How long the server waits between two readings, in milliseconds. */
  readonly intervalMs: number;
}

/** What a report's page is made from. It stands in the page as JSON. */
export interface ReportData {
  /** The page's title. */
  readonly title: string;
  /** One state, or two to compare. */
  readonly sides: readonly ReportSide[];
  /** What devices reach, as address spaces of their own. @default none */
  readonly devices?: readonly ReportSide[];
  /** What an audit found. */
  readonly findings: readonly ReportFinding[];
  /** Where a served page learns what has changed. @default nowhere: the page is a file */
  readonly live?: ReportFeed;
}
