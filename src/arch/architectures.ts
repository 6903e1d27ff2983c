import { InvalidArgumentError } from "../core/errors.ts";
import type { GuestAccess } from "./access_rule.ts";
import type { Architecture } from "./architecture.ts";
import type { GuestRegisters } from "./registers.ts";
import { RISCV } from "./riscv/architecture.ts";
import { X86 } from "./x86/architecture.ts";

// A row each. A further architecture is one folder beside these and one row here.
const known: [Architecture, ...Architecture[]] = [
  X86,
  RISCV,
];

/** The architectures that are known. What names none is of the first one. */
export const ARCHITECTURES: readonly [Architecture, ...Architecture[]] = known;

/**
 * Makes an architecture known: from then on its registers, snapshots and modes are. Disposing of what
 * it returns makes it unknown again.
 *
 * @throws {InvalidArgumentError} if another one has its name
 *
 * @example Usage
 * ```ts
 * import { ARCHITECTURES, registerArchitecture } from "@pagewalk/pagewalk/extend";
 * import { assertEquals } from "@std/assert";
 *
 * const before = ARCHITECTURES.length;
 * {
 *   using _ = registerArchitecture({ ...ARCHITECTURES[0], name: "mine" });
 *   assertEquals(ARCHITECTURES.at(-1)?.name, "mine");
 * }
 * assertEquals(ARCHITECTURES.length, before);
 * ```
 */
export function registerArchitecture(architecture: Architecture): Disposable {
  const { name } = architecture;
  if (known.some((other) => other.name === name)) {
    throw new InvalidArgumentError(`Two architectures are called "${name}"`, name);
  }
  known.push(architecture);
  return { [Symbol.dispose]: () => void known.splice(known.indexOf(architecture), 1) };
}

/** The architecture by its name; the first one, if there is none of that name. */
export function architectureNamed(name: string | undefined): Architecture {
  return known.find((each) => each.name === name) ?? known[0];
}

/** The architecture of a vCPU's registers. */
export function architectureOf({ architecture }: GuestRegisters): Architecture {
  return architectureNamed(architecture);
}

/** The architecture that has a kind of tables; the first one, if none has. */
export function architectureWithMode(mode: string): Architecture {
  return known.find(({ registers }) => registers.modes.includes(mode)) ?? known[0];
}

/** The kinds of tables of all architectures, by name. */
export function knownModes(): string[] {
  return known.flatMap(({ registers }) => registers.modes);
}

/**
 * Checks, before a guest is asked whose architecture is not known yet, that an access is one of some
 * architecture.
 *
 * @throws {InvalidArgumentError} if it is none's: what the one says that knows most of its keys
 */
export function checkAnyAccess(wanted: GuestAccess): void {
  const keys = typeof wanted === "object" && wanted !== null ? Object.keys(wanted) : [];
  const count = ({ access }: Architecture) =>
    keys.filter((key) => access.keys.includes(key)).length;
  const [nearest] = known.toSorted((a, b) => count(b) - count(a));
  nearest!.access.check(wanted);
}
