/**
 * Types for the parts of `@std` that this project uses. The npm package that carries them (see the
 * import map in deno.json) is plain JavaScript; these declarations follow the documented signatures.
 */
declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(value: unknown, message?: string): asserts value;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    message?: string,
  ): asserts actual is T;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertArrayIncludes<T>(
    actual: ArrayLike<T>,
    expected: ArrayLike<T>,
    message?: string,
  ): void;
  // deno-lint-ignore no-explicit-any
  type ErrorClass<E extends Error> = new (...args: any[]) => E;
  // deno-lint-ignore no-explicit-any
  type AbstractErrorClass<E extends Error> = abstract new (...args: any[]) => E;
  export function assertInstanceOf<T>(
    actual: unknown,
    // deno-lint-ignore no-explicit-any
    expectedType: abstract new (...args: any[]) => T,
    message?: string,
  ): asserts actual is T;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass?: ErrorClass<E> | AbstractErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass?: ErrorClass<E> | AbstractErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): Promise<E>;
  export function fail(message?: string): never;
  export function unreachable(message?: string): never;
}

declare module "@std/cli/parse-args" {
  export interface ParseArgsOptions {
    boolean?: readonly string[];
    string?: readonly string[];
    collect?: readonly string[];
    negatable?: readonly string[];
    default?: Readonly<Record<string, unknown>>;
    alias?: Readonly<Record<string, string | readonly string[]>>;
    stopEarly?: boolean;
    "--"?: boolean;
    unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  export function parseArgs(
    args: readonly string[],
    options?: ParseArgsOptions,
  ): Record<string, unknown> & { _: (string | number)[] };
}

declare module "@std/net" {
  /** Returns a free TCP port of this machine; needs `--allow-net`. */
  export function getAvailablePort(options?: { preferredPort?: number }): number;
}
