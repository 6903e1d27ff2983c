import { markPrinter } from "../evaluate/runtime/printers.ts";
import type { Helper } from "../helper.ts";

/** `print(value)`. */
export const PRINT: Helper = {
  name: "print",
  usage: "print(value)",
  purpose: "print a value as results are printed, from within a loop",
  notes: ["Integers computed from hexadecimal ones are printed in hexadecimal."],
  example: `
> for (const page of [0, 16]) print(verify(0x7f1234567000 + page * 4096).verdict)
pass
fail
> for (let va = 0x1000; va < 0x3000; va += 0x1000) print(va)
0x1000
0x2000
`,
  create: (repl) =>
    markPrinter((...values: unknown[]) => {
      for (const value of values) repl.print(value);
    }),
};
