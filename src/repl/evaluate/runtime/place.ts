import { numeric } from "../exact.ts";
import { elementFor, isTypedArray } from "./numeric_arguments.ts";

type Calculate = (operator: string, left: unknown, right: unknown, site: number) => unknown;

/** A property that is read and then written: `o.x += 1`, `list[i]++`. */
export class Place {
  readonly #object: object;
  readonly #key: PropertyKey;
  readonly #calculate: Calculate;
  readonly #old: unknown;

  /** Reads the property, unless it will only be written. */
  constructor(object: unknown, key: unknown, calculate: Calculate, isRead: boolean) {
    this.#object = object as object;
    this.#key = key as PropertyKey;
    this.#calculate = calculate;
    // deno-lint-ignore no-explicit-any
    this.#old = isRead ? (object as any)[this.#key] : undefined;
  }

  /** `o.x = value`. */
  set(value: unknown): unknown {
    const object = this.#object;
    const stored = isTypedArray(object) && isIndex(this.#key)
      ? elementFor(object.constructor, value)
      : Array.isArray(object) && this.#key === "length"
      ? Number(value)
      : value;
    // deno-lint-ignore no-explicit-any
    (object as any)[this.#key] = stored;
    return value;
  }

  /** `o.x += value`. */
  calculate(operator: string, value: unknown, site: number): unknown {
    return this.set(this.#calculate(operator, this.#old, value, site));
  }

  /** `++o.x`, or `o.x++` if the old value is wanted. */
  step(operator: string, isNew: boolean, site: number): unknown {
    const old = numeric(this.#old);
    const stepped = this.set(this.#calculate(operator, old, 1, site));
    return isNew ? stepped : old;
  }
}

function isIndex(key: unknown): boolean {
  return typeof key === "number" || typeof key === "bigint" ||
    typeof key === "string" && /^[0-9]+$/.test(key);
}
