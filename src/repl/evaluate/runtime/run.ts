/** What JavaScript's own functions are called with at the prompt. */
export interface Run {
  /** Whether promises may be waited for. */
  readonly waits: boolean;
  /** Calls a function as typed code does: its value may be a promise. */
  // deno-lint-ignore ban-types
  call(called: Function, self: unknown, args: unknown[]): unknown;
}

/** A function of JavaScript's own as the prompt has it. */
export type Builtin = (self: never, args: never, run: Run, native: NativeFunction) => unknown;

/** JavaScript's own function. */
export type NativeFunction = (...args: unknown[]) => unknown;

/** A function with what stands for it at the prompt. */
export type BuiltinRow = readonly [native: unknown, ours: Builtin];
