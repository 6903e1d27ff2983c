import * as pagewalk from "../../mod.ts";
import type { Helper, HelperContext } from "./helper.ts";
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
    get: () => context.guest.current,
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
  const made = Object.defineProperty(helper.create(context), "name", { value: name });
  return showAs(made, (_, style) => `${style.strong(usage)}: ${purpose}; help(${name}) says more`);
}
