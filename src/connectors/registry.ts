import { InvalidArgumentError } from "../core/errors.ts";
import type { Endpoint } from "../monitor/endpoint/mod.ts";
import type { Connector } from "./connector.ts";

const known: Connector[] = [];

/**
 * Makes a connector known: from then on `connect()` and `parseEndpoint()` take its endpoints. Disposing
 * of what it returns makes it unknown again.
 *
 * @throws {InvalidArgumentError} if a scheme is none, or another connector has it
 *
 * @example A connector of one's own
 * ```ts
 * import { connect, type Connector, monitorSource, HmpClient, registerConnector } from "@pagewalk/pagewalk";
 * import { simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const LAB: Connector<{ scheme: "lab"; machine: string }> = {
 *   name: "machine of the lab",
 *   usage: "lab:MACHINE",
 *   schemes: { lab: (machine) => ({ scheme: "lab", machine }) },
 *   describe: ({ machine }) => `lab:${machine}`,
 *   permissions: () => [],
 *   open: async () => monitorSource(await HmpClient.open(simulatedGuest().transport())),
 * };
 * using _ = registerConnector(LAB);
 * await using guest = await connect("lab:seven");
 * assertEquals((await guest.verify(0x7f1234567000n)).verdict, "pass");
 * ```
 */
export function registerConnector<E extends Endpoint>(connector: Connector<E>): Disposable {
  for (const scheme of Object.keys(connector.schemes)) {
    const other = connectorBy(scheme);
    if (other !== undefined) {
      const message = `Two connectors have "${scheme}:": ${other.name} and ${connector.name}`;
      throw new InvalidArgumentError(message, scheme);
    }
    if (/^[a-z]+(?:\+[a-z]+)*$/.test(scheme)) continue;
    throw new InvalidArgumentError(`Not a scheme: "${scheme}"; small letters and "+" only`, scheme);
  }
  known.push(connector);
  return { [Symbol.dispose]: () => void known.splice(known.indexOf(connector), 1) };
}

/**
 * The connectors, in the order in which they became known.
 *
 * @example Usage
 * ```ts
 * import { connectors } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const gdb = connectors().find(({ schemes }) => "gdb" in schemes);
 * assertEquals([gdb?.name, gdb?.usage], ["gdbstub", "gdb:…"]);
 * ```
 */
export function connectors(): readonly Connector[] {
  return known;
}

/** The schemes of all connectors. */
export function knownSchemes(): string[] {
  return known.flatMap(({ schemes }) => Object.keys(schemes));
}

/** Returns the connector that has a scheme, if any. */
export function connectorBy(scheme: string): Connector | undefined {
  return known.find(({ schemes }) => Object.hasOwn(schemes, scheme));
}

/**
 * Returns the connector of an endpoint.
 *
 * @throws {InvalidArgumentError} if nobody knows its scheme
 */
export function connectorOf({ scheme }: Endpoint): Connector {
  const connector = connectorBy(scheme);
  if (connector !== undefined) return connector;
  const all = knownSchemes().map((name) => `${name}:`).join(", ");
  throw new InvalidArgumentError(`There is no "${scheme}:" among ${all}`, scheme);
}
