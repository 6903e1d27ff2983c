// deno-lint-ignore-file ban-types -- any function at all

/**
 * The second form of typed functions, which can wait for promises. JavaScript calls the first form;
 * typed code calls the twin.
 */
const twins = new WeakMap<Function, Function>();

/** Typed functions that need no twin: they only calculate. */
const plain = new WeakSet<Function>();

/** What twins return, and loops that call back: typed code waits for it without a fuss. */
const waitedFor = new WeakMap<object, "twin" | "loop">();

/** The twin of a typed function. */
export function twinOf(made: Function): Function | undefined {
  return twins.get(made);
}

/** Says whether a typed function only calculates. */
export function isPlain(made: Function): boolean {
  return plain.has(made);
}

/** Notes a promise that a twin returned, or a loop that waits for another library's function. */
export function notePromise<T>(promise: T, kind: "twin" | "loop" = "twin"): T {
  waitedFor.set(promise as object, kind);
  return promise;
}

/** Says whether a promise is one of these: it ends by itself when the line is cancelled. */
export function isOfTwin(promise: object): boolean {
  return waitedFor.has(promise);
}

/** Says whether a promise is that of a loop over another library's function. */
export function isOfLoop(promise: object): boolean {
  return waitedFor.get(promise) === "loop";
}

/** Gives a typed function its twin, and the name of the variable that it is given to. */
export function twin(made: Function, other: Function, name?: string): Function {
  twins.set(made, other);
  named(other, name ?? made.name);
  return named(made, name);
}

/** Marks a typed function that needs no twin. */
export function markPlain(made: Function, name?: string): Function {
  plain.add(made);
  return named(made, name);
}

/** Names a function or class that has no name of its own. */
export function named<T extends Function>(made: T, name: string | undefined): T {
  if (name !== undefined && Object.hasOwn(made, "name") && made.name === "") {
    Object.defineProperty(made, "name", { value: name, configurable: true });
  }
  return made;
}

const keys = new Map<string, symbol>();
const namesOfKeys = new Map<symbol, string>();

/** The key under which a method's twin stands in its object for a moment. */
export function twinKey(name: string): symbol {
  let key = keys.get(name);
  if (!key) {
    keys.set(name, key = Symbol(name));
    namesOfKeys.set(key, name);
  }
  return key;
}

/** Takes the twins of an object's methods out of it. */
export function adopt<T extends object>(holder: T): T {
  for (const key of Object.getOwnPropertySymbols(holder)) {
    const name = namesOfKeys.get(key);
    if (name === undefined) continue;
    const own = Object.getOwnPropertyDescriptor(holder, name)?.value;
    if (typeof own === "function") {
      const other = Reflect.get(holder, key) as Function;
      Object.defineProperty(other, "name", { value: name, configurable: true });
      twins.set(own, other);
    }
    Reflect.deleteProperty(holder, key);
  }
  return holder;
}

/** The same for a class, which is called after the variable that it is given to. */
export function adoptClass<T extends Function>(made: T, name?: string): T {
  adopt(made);
  if (made.prototype) adopt(made.prototype);
  return named(made, name);
}
