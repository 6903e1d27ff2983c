import type { Helper, HelperContext } from "./helper.ts";
import { addressFrom } from "./address_argument.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { SDK as pagewalk } from "./sdk.ts";
import { showAs } from "./show/renderers.ts";

/**
 * Makes what a prompt has besides JavaScript's own: the whole SDK, the helpers (which go before SDK
 * functions of the same name), `session`, `pagewalk`, and what the embedder adds.
 */
export function makeGlobals(context: HelperContext, added: object = {}): Record<string, unknown> {
  const globals: Record<string, unknown> = { ...pagewalk, pagewalk };
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

/** `list.map(walk)` hands over an index and the list besides, which are not options. */
function calledBack([value, index, list]: readonly unknown[]): boolean {
  return Array.isArray(list) && typeof index === "number" && list[index] === value;
}
