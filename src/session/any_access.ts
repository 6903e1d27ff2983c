import type { GuestAccess } from "../arch/architecture.ts";
import { REGISTER_FORMATS } from "../arch/architectures.ts";

/**
 * Checks, before a guest is asked whose architecture is not known yet, that an access is one of some
 * architecture.
 *
 * @throws {InvalidArgumentError} if it is none's: what the one says that knows most of its keys
 */
export async function checkAnyAccess(access: GuestAccess): Promise<void> {
  const rules = await Promise.all(REGISTER_FORMATS.map((formats) => formats.access()));
  const keys = typeof access === "object" && access !== null ? Object.keys(access) : [];
  const known = (rule: typeof rules[number]) =>
    keys.filter((key) => rule.keys.includes(key)).length;
  const [nearest] = rules.toSorted((a, b) => known(b) - known(a));
  nearest!.check(access);
}
