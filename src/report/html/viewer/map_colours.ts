import type { Mapping } from "../../../translate/mappings.ts";
import type { Regime } from "../../../translate/regime.ts";

/** What the colours say, and the variables of the style sheet that hold them: what matters first. */
export const LEGEND: readonly (readonly [colour: string, meaning: string])[] = [
  ["closed", "in the user's range, closed to user mode"],
  ["wx", "writable and executable"],
  ["u-rx", "user code"],
  ["u-rw", "user data"],
  ["u-r", "user, read-only"],
  ["k-rx", "kernel code"],
  ["k-rw", "kernel data"],
  ["k-r", "kernel, read-only"],
];

/** The name of the colour of a run: by its rights after all levels, and by whose addresses they are. */
export function colourOf({ effective, address }: Mapping, { rules }: Regime): string {
  const { user, writable, executable } = effective;
  const isForUser = user || !rules.rights.names.includes("user");
  if (!isForUser && address < rules.kernel.start) return "closed";
  if (writable && executable) return "wx";
  return `${isForUser ? "u" : "k"}-r${executable ? "x" : writable ? "w" : ""}`;
}
