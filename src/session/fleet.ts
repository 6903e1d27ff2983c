import { checkOptions, wholeNumberFrom } from "../core/options.ts";
import { connect } from "./connect.ts";
import { CONNECT_SHAPE, type ConnectOptions } from "./connect_parts.ts";
import type { Session } from "./session.ts";

/** What came of one endpoint: the check's result, or what kept it from being made. */
export type FleetResult<T> =
  | { readonly endpoint: string; readonly result: T }
  | { readonly endpoint: string; readonly error: Error };

/** How a fleet is gone through. */
export interface FleetOptions extends ConnectOptions {
  /**
   * How many guests are asked at the same time.
   *
   * @default {8}
   */
  limit?: number;
}

/**
 * Makes one check on many guests, several at a time. The results come in the order of the endpoints. A
 * guest that cannot be checked never stops the others: its result is the error.
 *
 * @throws {InvalidArgumentError} if the limit is not a number from 1 up
 *
 * @example Usage
 * ```ts
 * import { checkFleet } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const verdicts = [];
 * for await (const row of checkFleet(["sim:", "no:such:guest"], (guest) => guest.verify(0x7f1234567000n))) {
 *   verdicts.push("error" in row ? "error" : row.result.verdict);
 * }
 * assertEquals(verdicts, ["pass", "error"]);
 * ```
 */
export async function* checkFleet<T>(
  endpoints: readonly string[],
  check: (guest: Session, endpoint: string) => Promise<T>,
  options: FleetOptions = {},
): AsyncGenerator<FleetResult<T>, void> {
  const shape = { ...CONNECT_SHAPE, limit: wholeNumberFrom(1) };
  checkOptions(options, "the options of a fleet", shape);
  const { limit = 8, ...connectOptions } = options;
  const outcomes = endpoints.map(() => Promise.withResolvers<FleetResult<T>>());
  const waiting = endpoints.entries();
  const work = async (): Promise<void> => {
    for (const [i, endpoint] of waiting) {
      outcomes[i]!.resolve(await checkOne(endpoint, check, connectOptions));
    }
  };
  const workers = Array.from({ length: Math.min(limit, endpoints.length) }, work);
  for (const { promise } of outcomes) yield await promise;
  await Promise.all(workers);
}

async function checkOne<T>(
  endpoint: string,
  check: (guest: Session, endpoint: string) => Promise<T>,
  options: ConnectOptions,
): Promise<FleetResult<T>> {
  try {
    await using guest = await connect(endpoint, options);
    return { endpoint, result: await check(guest, endpoint) };
  } catch (error) {
    return { endpoint, error: error instanceof Error ? error : new Error(String(error)) };
  }
}
