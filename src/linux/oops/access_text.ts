import type { OopsReport } from "../../arch/oops_report.ts";

const ACCESS_WORDS = { write: "write", fetch: "instruction fetch", read: "read" } as const;

/** Says in words what the access was: `a supervisor write`. */
export function oopsAccessText({ access, lengthBytes }: OopsReport): string {
  if (!access) return "an access";
  const kind = access.write ? "write" : access.fetch ? "fetch" : "read";
  const size = lengthBytes === undefined ? "" : ` of ${lengthBytes} bytes`;
  return `a ${access.user ? "user" : "supervisor"} ${ACCESS_WORDS[kind]}${size}`;
}
