import type { Walk } from "../../translate/walk.ts";
import type { AccessRule } from "../architecture.ts";
import { type Access, access, ACCESS_KEYS, checkAccess } from "./access.ts";
import type { PagingContext } from "./paging_context.ts";

/** How x86 says what comes of an access: by the paging context alone. */
export const X86_ACCESS: AccessRule = {
  architecture: "x86",
  usesRegisters: false,
  keys: ACCESS_KEYS,
  check: checkAccess,
  decide: (walk: Walk, context: PagingContext, wanted: Access) => access(walk, context, wanted),
};
