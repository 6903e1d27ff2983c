import type { AccessRule, GuestAccess } from "./architecture.ts";
import { RISCV_ACCESS } from "./riscv/access_rule.ts";
import { X86_ACCESS } from "./x86/access_rule.ts";

/** What says what comes of accesses, a row for each architecture. A check of one page needs none. */
const ACCESS_RULES: readonly [AccessRule, ...AccessRule[]] = [
  X86_ACCESS,
  RISCV_ACCESS,
];

/** What says what comes of accesses on an architecture. */
export function accessRuleOf(architecture: string): AccessRule {
  return ACCESS_RULES.find((rule) => rule.architecture === architecture) ?? ACCESS_RULES[0];
}

/**
 * Checks, before a guest is asked whose architecture is not known yet, that an access is one of some
 * architecture.
 *
 * @throws {InvalidArgumentError} if it is none's: what the one says that knows most of its keys
 */
export function checkAnyAccess(access: GuestAccess): void {
  const keys = typeof access === "object" && access !== null ? Object.keys(access) : [];
  const known = (rule: AccessRule) => keys.filter((key) => rule.keys.includes(key)).length;
  const [nearest] = ACCESS_RULES.toSorted((a, b) => known(b) - known(a));
  nearest!.check(access);
}
