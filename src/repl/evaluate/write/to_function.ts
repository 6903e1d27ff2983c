import type { Analysis } from "../analyse.ts";
import { assemble, type Assembled, code } from "../code.ts";
import { CALLS } from "./calls.ts";
import { FUNCTIONS } from "./functions.ts";
import { LITERALS } from "./literals.ts";
import { OPERATORS } from "./operators.ts";
import { STATEMENTS, statements } from "./statements.ts";
import { hoisted, TOP_LEVEL } from "./top_level.ts";
import { Writer } from "./writer.ts";

const RULES = { ...CALLS, ...FUNCTIONS, ...LITERALS, ...OPERATORS, ...STATEMENTS };

/**
 * Writes a line as the source of an async function of (`__w`, `__i`, `__scope`) that returns the
 * line's value. `__w` and `__i` are what waiting and immediate code calls, `__scope` holds the
 * prompt's variables. Inside the `with`, code is strict, as in a module.
 */
export function toFunction(analysis: Analysis, name: string): Assembled {
  const to = new Writer(analysis, { outer: TOP_LEVEL, inner: RULES });
  const { program, source } = analysis;
  const written =
    code`(async function (__scope, __w, __i) { with (__scope) { return await (async function (__w, __i) { "use strict"; let __t, __u; ${
      hoisted(program)
    }${statements(program.body, program, to)}
}).call(undefined, __w, __i); } })
//# sourceURL=${name}`;
  return assemble(written, source);
}
