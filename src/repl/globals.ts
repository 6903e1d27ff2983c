import type { Helper, HelperContext } from "./helper.ts";
import { addressFrom } from "./address_argument.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { showAs } from "./show/renderers.ts";

/**
 * Makes what a prompt has besides JavaScript's own: the helpers, `session`, and what the embedder adds.
 * {@linkcode addSdk} adds the whole SDK once a line names something of it.
 */
export function makeGlobals(context: HelperContext, added: object = {}): Record<string, unknown> {
  const globals: Record<string, unknown> = {};
  for (const helper of context.helpers) globals[helper.name] = makeHelper(helper, context);
  Object.defineProperty(globals, "session", {
    enumerable: true,
    configurable: true,
    // A promise is waited for: before the first use there is no connection.
    get: () => context.guest.current ?? context.guest.session(),
  });
  return Object.defineProperties(
    globals,
    Object.getOwnPropertyDescriptors(added),
  ) as typeof globals;
}

/**
 * Adds the whole SDK, and `pagewalk` that has it, where a name is free: helpers go before SDK functions
 * of the same name.
 */
export async function addSdk(globals: Record<string, unknown>): Promise<void> {
  const { SDK } = await import("./sdk.ts");
  for (const [name, value] of Object.entries({ ...SDK, pagewalk: SDK })) {
    if (!(name in globals)) globals[name] = value;
  }
}

/** Makes one helper's function, which bears the helper's name and, typed alone, says how it is called. */
export function makeHelper(
  helper: Helper,
  context: HelperContext,
): (...args: unknown[]) => unknown {
  const { name, usage, purpose } = helper;
  const made = Object.defineProperty(taking(helper, context), "name", { value: name });
  return showAs(made, (_, style) => `${style.strong(usage)}: ${purpose}; help(${name}) says more`);
}

/** A helper's function; the arguments that are addresses are taken in any form that stands on a screen. */
function taking(helper: Helper, context: HelperContext): (...args: unknown[]) => unknown {
  const made = helper.create(context);
  const { addresses, name, usage } = helper;
  if (!addresses) return made;
  return async (...args) => {
    const given = await Promise.all(calledBack(args) ? args.slice(0, 1) : args);
    if (given[addresses[0]!] === undefined) {
      throw new InvalidArgumentError(`${name} needs an address: ${usage}`, undefined);
    }
    for (const i of addresses) {
      if (given[i] !== undefined) given[i] = await addressFrom(given[i], context);
    }
    return await made(...given);
  };
}

/** `list.map(walk)` also passes an index and the list, which are not options. */
function calledBack([value, index, list]: readonly unknown[]): boolean {
  return Array.isArray(list) && typeof index === "number" && list[index] === value;
}
