import type { Endpoint } from "./endpoint.ts";

/** What a scheme must say about itself. */
export interface Scheme<E> {
  /**
   * Reads what follows `scheme:`. `text` is the whole argument, for messages; `parseInner` reads an
   * endpoint inside this one.
   */
  parse(rest: string, text: string, parseInner: (text: string) => Endpoint): E;
  /** Writes it the way a user would type it. */
  format(endpoint: E): string;
  /** The permissions that opening it takes, each of them needed. */
  permissions(endpoint: E): Deno.PermissionDescriptor[];
}
