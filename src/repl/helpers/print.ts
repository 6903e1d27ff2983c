import type { Helper } from "../helper.ts";

/** `print(value)`. */
export const PRINT: Helper = {
  name: "print",
  usage: "print(value)",
  purpose: "print a value as results are printed, from within a loop",
  example: `
> for (const page of [0, 16]) print(verify(0x7f1234567000 + page * 4096).verdict)
pass
fail
`,
  create: (repl) => (...values: unknown[]) => {
    for (const value of values) repl.print(value);
  },
};
