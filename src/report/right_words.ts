import type { Right } from "../translate/rights.ts";

/** The rights in words: what follows is yes or no. */
export const RIGHT_WORDS: Readonly<Record<Right, string>> = {
  user: "user",
  readable: "read",
  writable: "write",
  executable: "execute",
};
