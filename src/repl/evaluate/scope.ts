/** How a name was declared at the prompt. */
export type DeclarationKind = "const" | "let" | "var" | "function" | "class" | "import";

/** A name and how it was declared. */
export interface DeclaredName {
  readonly name: string;
  readonly kind: DeclarationKind;
}

/**
 * The variables of a prompt. They outlive the line that declared them, may be declared again, and
 * shadow the globals that the prompt was started with, which shadow JavaScript's own.
 */
export class Scope {
  readonly #globals: object;
  readonly #values = new Map<string, unknown>();
  readonly #constants = new Set<string>();
  /** Names of the guest's, such as symbols. */
  readonly #lent = new Map<string, unknown>();
  /** Declared by the line that is running, and not given a value yet. */
  readonly #pending = new Map<string, DeclarationKind>();
  /** What the evaluated code uses as its outermost scope, by way of `with`. */
  readonly object: object;

  /** Makes a scope over globals, which are looked up when they are used. */
  constructor(globals: object) {
    this.#globals = globals;
    this.object = new Proxy(Object.create(null), {
      has: (_, name) => typeof name === "string" && this.has(name),
      get: (_, name) => typeof name === "string" ? this.#read(name) : undefined,
      set: (_, name, value) => typeof name === "string" && this.#assign(name, value),
      deleteProperty: (_, name) => typeof name === "string" && this.delete(name),
    });
  }

  /** Says whether a name is known here; JavaScript's own globals are not. */
  has(name: string): boolean {
    return this.#values.has(name) || this.#pending.has(name) || name in this.#globals ||
      this.#lent.has(name);
  }

  /** Says whether a name is a variable. */
  hasVariable(name: string): boolean {
    return this.#values.has(name);
  }

  /** Gives names a meaning where nobody else does, until they are given another. */
  lend(values: ReadonlyMap<string, unknown>): void {
    for (const [name, value] of values) this.#lent.set(name, value);
  }

  /** The property descriptor of a name, without running a getter; for completion. */
  describe(name: string): PropertyDescriptor | undefined {
    return this.#values.has(name)
      ? { value: this.#values.get(name) }
      : Object.getOwnPropertyDescriptor(this.#globals, name);
  }

  /** All names, variables first. */
  names(): string[] {
    return [...new Set([...this.#values.keys(), ...Object.keys(this.#globals)])];
  }

  /** Gives a name a value, whatever it was before. */
  define(name: string, value: unknown): void {
    this.#pending.delete(name);
    this.#constants.delete(name);
    this.#values.set(name, value);
  }

  /** Forgets a variable; a global of that name shows again. */
  delete(name: string): boolean {
    this.#constants.delete(name);
    return this.#values.delete(name) || !(name in this.#globals);
  }

  /** Announces names that the line about to run declares: each takes the value it is given first. */
  announce(names: Iterable<DeclaredName>): void {
    for (const { name, kind } of names) {
      if (kind === "var" && !this.#values.has(name)) this.#values.set(name, undefined);
      this.#pending.set(name, kind);
    }
  }

  /** Ends a line: names that were given no value keep their old one, or are unknown again. */
  settle(): void {
    this.#pending.clear();
  }

  #read(name: string): unknown {
    if (this.#values.has(name)) return this.#values.get(name);
    if (this.#pending.has(name) && !(name in this.#globals)) {
      throw new ReferenceError(`Cannot access '${name}' before initialization`);
    }
    return name in this.#globals ? Reflect.get(this.#globals, name) : this.#lent.get(name);
  }

  #assign(name: string, value: unknown): boolean {
    const kind = this.#pending.get(name);
    if (kind === undefined && this.#constants.has(name)) {
      throw new TypeError(`Assignment to constant variable '${name}'`);
    }
    this.define(name, value);
    if (kind === "const" || kind === "import") this.#constants.add(name);
    return true;
  }
}
