import { asKey, calculate, invert, isSame, negate, numeric, OPERATIONS } from "../exact.ts";
import { importFor } from "../import_for.ts";
import { isAsyncIterable } from "../until_aborted.ts";
import { ON_FUNCTIONS } from "./functions.ts";
import { INTEGERS } from "./integers.ts";
import { guarded } from "./guarded.ts";
import { isLater, ITERATION } from "./iteration.ts";
import { NeedsWaitingError } from "./needs_waiting_error.ts";
import { numericArguments, numericConstruction } from "./numeric_arguments.ts";
import { Place } from "./place.ts";
import { asAddress } from "./printers.ts";
import type { Builtin, NativeFunction, Run } from "./run.ts";
import { SEARCHING } from "./searching.ts";
import type { RunningLine, Turns } from "./turns.ts";
import {
  adopt,
  adoptClass,
  isOfLoop,
  isOfTwin,
  markPlain,
  named,
  notePromise,
  twin,
  twinKey,
  twinOf,
} from "./twins.ts";

/** What was learned at one place of a line while it ran, which a script that replays it must know. */
export type Observation =
  /** A promise was awaited there. */
  | "promise"
  /** What another library's function returned was waited for, one call after the other. */
  | "loop"
  /** A number was turned into a bigint. */
  | "left"
  | "right"
  /** JavaScript would have had another result. */
  | "exact";

/** A line, and what its code tells of itself. */
export interface ToolsFor {
  readonly line: RunningLine;
  readonly turns: Turns;
  readonly observe: (site: number, seen: Observation) => void;
  readonly define: (name: string, value: unknown) => void;
  readonly forget: (name: string) => boolean;
}

const BUILTINS = new Map<unknown, Builtin>(
  [...INTEGERS, ...SEARCHING, ...ITERATION, ...ON_FUNCTIONS] as [unknown, Builtin][],
);

/** Those that wait for their callbacks, one after the other. */
const LOOPS = new Set(ITERATION.map(([native]) => native));

/** Those that cannot wait for what a callback returns. */
const CALL_AT_ONCE = new Set<unknown>(
  Object.values(Object.getOwnPropertyDescriptors(Iterator.prototype)).map(({ value }) => value),
);

const PROMISE_METHODS = new Set<PropertyKey>(["then", "catch", "finally"]);

/** Makes what the written form of a line calls, in code that can wait and in code that cannot. */
export function makeTools(parts: ToolsFor): { waiting: object; immediate: object } {
  const { line, turns, observe } = parts;

  const operate = (operator: string, left: unknown, right: unknown, site: number): unknown => {
    if (typeof left === "number" && typeof right === "number") {
      const result = OPERATIONS[operator]!.fast(left, right);
      if (result !== undefined) return result;
    }
    if (isLater(left) || isLater(right)) {
      return Promise.all([left, right]).then(([a, b]) => operate(operator, a, b, site));
    }
    return calculate(operator, left, right, (departure) => observe(site, departure));
  };
  const lifted = (operation: (value: unknown) => unknown) => (value: unknown): unknown =>
    isLater(value) ? Promise.resolve(value).then(operation) : operation(value);

  const callers = (waits: boolean) => {
    // deno-lint-ignore ban-types
    const invoke = (called: Function, self: unknown, args: unknown[]): unknown => {
      if (!waits) turns.check(line);
      const other = waits ? twinOf(called) : undefined;
      if (other) {
        return notePromise(
          turns.isDue()
            ? turns.pause(line).then(() => Reflect.apply(other, self, args))
            : Reflect.apply(other, self, args),
        );
      }
      const builtin = BUILTINS.get(called);
      if (builtin) {
        const run = runIn(turns.current, waits, invoke);
        const ours = builtin as (...given: [unknown, unknown[], Run, NativeFunction]) => unknown;
        const value = ours(self, args, run, called as NativeFunction);
        if (!LOOPS.has(called) || !isLater(value)) return value;
        const isTyped = args.some((each) => typeof each === "function" && twinOf(each));
        return notePromise(value, isTyped ? undefined : "loop");
      }
      const given = numericArguments(called, args);
      return Reflect.apply(called, self, CALL_AT_ONCE.has(called) ? given.map(guarded) : given);
    };
    const checked = (name: string, called: unknown) => {
      if (typeof called === "function") return called;
      throw new TypeError(`${name} is not a function`);
    };
    return {
      calculate: operate,
      asAddress,
      check: () => turns.check(line),
      negate: lifted(negate),
      plus: lifted(numeric),
      invert: lifted(invert),
      first: (value: unknown) => value,
      place: (object: unknown, key: unknown) => new Place(object, key, operate, true),
      target: (object: unknown, key: unknown) => new Place(object, key, operate, false),
      call: (name: string, called: unknown, args: unknown[]) =>
        invoke(checked(name, called), undefined, args),
      apply: (name: string, called: unknown, self: unknown, args: unknown[]) =>
        invoke(checked(name, called), self, args),
      method(name: string, owner: unknown, key: PropertyKey, args: unknown[]) {
        if (owner === undefined || owner === null) {
          throw new TypeError(
            `Cannot read properties of ${owner} (reading '${String(key)}'): ${name}`,
          );
        }
        // deno-lint-ignore no-explicit-any
        const found = (owner as any)[key];
        // What was waited for already is as good as a promise of it.
        const isPromiseMethod = found === undefined && PROMISE_METHODS.has(key);
        const self = isPromiseMethod ? Promise.resolve(owner) : owner;
        return invoke(
          checked(name, isPromiseMethod ? Reflect.get(self as object, key) : found),
          self,
          args,
        );
      },
      reach: (name: string, owner: unknown, read: (from: unknown) => unknown, args: unknown[]) =>
        invoke(checked(name, read(owner)), owner, args),
      construct: (name: string, made: unknown, args: unknown[]) =>
        construct(name, made, args, waits),
    };
  };

  const waiting = {
    ...callers(true),
    later: isLater,
    wait(value: unknown, site: number) {
      if (!isLater(value)) return value;
      if (isOfTwin(value)) {
        if (isOfLoop(value)) observe(site, "loop");
        return value;
      }
      observe(site, "promise");
      return turns.wait(line, value);
    },
    isDue: () => turns.isDue(),
    pause: () => turns.pause(line),
    isSame,
    asKey,
    spread: (list: unknown) => isAsyncIterable(list) ? Array.fromAsync(list) : list,
    import: importFor,
    twin,
    plain: markPlain,
    named,
    twinKey,
    adopt,
    adoptClass,
    define: parts.define,
    forget: parts.forget,
  };
  const immediate = {
    ...callers(false),
    now(value: unknown, what: string) {
      if (isLater(value)) throw new NeedsWaitingError(what);
      return value;
    },
  };
  return { waiting, immediate };
}

/** What a builtin calls back with. It ends with the line during which it began. */
function runIn(started: RunningLine, waits: boolean, call: Run["call"]): Run {
  return {
    waits,
    call(called, self, args) {
      started.signal.throwIfAborted();
      return call(called, self, args);
    },
  };
}

function construct(name: string, made: unknown, args: unknown[], waits: boolean): unknown {
  if (typeof made !== "function") throw new TypeError(`${name} is not a constructor`);
  const [executor] = args;
  const other = made === Promise && waits && typeof executor === "function" && twinOf(executor);
  if (other) {
    return new Promise((resolve, reject) => {
      Reflect.apply(other, undefined, [resolve, reject]).catch(reject);
    });
  }
  return Reflect.construct(made, numericConstruction(made, args));
}
