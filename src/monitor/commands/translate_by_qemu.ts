import { type AddressLike, formatAddress, parseAddress } from "../../core/address.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { ReplyParseError } from "../errors.ts";

/**
 * Lets QEMU itself translate a virtual address with the tables that a vCPU uses now (`gva2gpa`), or
 * returns null if it finds no mapping. An independent opinion on what a walk says.
 *
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, translateByQemu } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const walk = await guest.walk(0x7f1234567000n);
 * const found = walk.outcome === "mapped" ? walk.physicalAddress : null;
 * assertEquals(await translateByQemu(guest.monitor, 0x7f1234567000n), found);
 * ```
 */
export async function translateByQemu(
  monitor: Monitor,
  virtualAddress: AddressLike,
  options: CommandOptions = {},
): Promise<bigint | null> {
  const address = formatAddress(parseAddress(virtualAddress));
  return parseGva2gpa(await monitor.command(`gva2gpa ${address}`, options));
}

/**
 * Reads `gva2gpa`: `gpa: 0x1000123`, `gpa: 0` (`%#` prints no prefix before a zero), or `Unmapped`, which gives null (5.2 to 11.1).
 *
 * @throws {ReplyParseError} if it is neither
 */
export function parseGva2gpa(reply: string): bigint | null {
  const text = reply.trim();
  if (text === "Unmapped") return null;
  const digits = /^gpa: (0x[0-9a-f]+|0)$/.exec(text)?.[1];
  if (digits === undefined) throw new ReplyParseError("gva2gpa", text, '"gpa: 0x…" or "Unmapped"');
  return BigInt(digits);
}
