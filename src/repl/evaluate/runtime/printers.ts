// deno-lint-ignore-file ban-types -- any function at all
const printers = new WeakSet<Function>();

/** Marks a function that prints bigints in hexadecimal. */
export function markPrinter<T extends Function>(made: T): T {
  printers.add(made);
  return made;
}

/** A number that came of numbers in hexadecimal, as a printer prints it so; others get it as it is. */
export function asAddress(printer: unknown, value: unknown): unknown {
  const isPrinted = typeof printer === "function" && printers.has(printer);
  return isPrinted && Number.isSafeInteger(value) ? BigInt(value as number) : value;
}
