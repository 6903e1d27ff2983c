import type { NoTablesCause } from "../../translate/no_tables.ts";

/** The state of a vCPU whose tables are no answer, in a word or two. */
export const STATES: Readonly<Record<NoTablesCause, string>> = {
  pagingOff: "paging off",
  notStarted: "not started",
  smm: "SMM",
  firmware: "firmware",
  nested: "nested?",
};
