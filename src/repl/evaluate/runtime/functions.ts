import { twin, twinOf } from "./twins.ts";
import type { Builtin, BuiltinRow } from "./run.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** `f.call(self, …)`, `f.apply(self, list)` and `Reflect.apply`. */
const called: Builtin = (self: Callable, [own, ...args]: unknown[], run) =>
  run.call(self, own, args);
const applied: Builtin = (self: Callable, [own, list]: unknown[], run) =>
  run.call(self, own, list == null ? [] : Array.from(list as ArrayLike<unknown>));
const reflected: Builtin = (_: unknown, [f, own, list]: unknown[], run) =>
  run.call(f as Callable, own, Array.from(list as ArrayLike<unknown>));

/** `f.bind(self, …)`: the twin is bound too. */
const bound: Builtin = (self: Callable, args: unknown[], _run, native) => {
  const made = Reflect.apply(native, self, args) as Callable;
  const other = typeof self === "function" ? twinOf(self) : undefined;
  return other ? twin(made, Reflect.apply(native, other, args) as Callable) : made;
};

/** Functions whose callbacks may return promises: they get the twin, which can wait. */
const later: Builtin = (self: unknown, args: unknown[], _run, native) =>
  Reflect.apply(
    native,
    self,
    args.map((argument) =>
      typeof argument === "function" ? twinOf(argument) ?? argument : argument
    ),
  );

/** JavaScript's functions on functions, and those that call back later. */
export const ON_FUNCTIONS: readonly BuiltinRow[] = [
  [Function.prototype.call, called],
  [Function.prototype.apply, applied],
  [Function.prototype.bind, bound],
  [Reflect.apply, reflected],
  [Promise.prototype.then, later],
  [Promise.prototype.catch, later],
  [Promise.prototype.finally, later],
  [Array.fromAsync, later],
  [queueMicrotask, later],
  [globalThis.setTimeout, later],
  [globalThis.setInterval, later],
];
