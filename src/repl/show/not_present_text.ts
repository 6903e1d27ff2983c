import type { NotPresentContent } from "../../translate/entry.ts";
import { groupHex } from "./group_hex.ts";

/** Says what Linux keeps in an entry that is not present. */
export function notPresentText(content: NotPresentContent): string {
  switch (content.kind) {
    case "empty":
      return "empty: never touched, or unmapped";
    case "protNone":
      return `PROT_NONE, keeps frame ${groupHex(content.frame)}`;
    case "swap":
      return `swapped out: type ${content.type}, offset ${groupHex(content.offset)}`;
  }
}
