import { type AddressLike, parseAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import type { AddressRange } from "../translate/address_range.ts";
import type { HelperContext } from "./helper.ts";
import { guestNames } from "./guest_names.ts";
import { readAddress } from "./screen/address_text.ts";
import { readPasted, readPlace } from "./screen/pasted.ts";

/**
 * Takes an address in any form that stands on a screen: a number, text as tools print it,
 * `"_stext+0x40"`, `"$rip"`, a symbol, a mapping, a range's start.
 *
 * @throws {InvalidArgumentError} if it is none, or names what the guest does not have
 */
export async function addressFrom(given: unknown, context: HelperContext): Promise<bigint> {
  const value = await given;
  if (typeof value === "string") return await fromText(value, context);
  if (typeof value === "object" && value !== null) {
    for (const key of ["address", "start"]) {
      const inner = Reflect.get(value, key);
      if (typeof inner === "bigint" || typeof inner === "number") return parseAddress(inner);
    }
    const keys = Object.keys(value).slice(0, 5).join(", ");
    throw new InvalidArgumentError(
      `Not an address: an object with ${
        keys || "nothing in it"
      }; one with address or start would do`,
      value,
    );
  }
  return parseAddress(value as AddressLike);
}

async function fromText(text: string, context: HelperContext): Promise<bigint> {
  const plain = readAddress(text);
  if (plain !== undefined) return plain;
  const pasted = readPasted(text);
  if (pasted?.kind === "address") return pasted.address;
  if (pasted?.kind === "range") return pasted.start;
  const place = pasted ?? readPlace(text);
  if (!place) return parseAddress(text);
  const base = (await guestNames(context, [place.name])).get(place.name);
  if (base !== undefined) return parseAddress(BigInt.asUintN(64, base + place.offset));
  throw new InvalidArgumentError(
    place.name.startsWith("$")
      ? `No register ${place.name}: gdb's names are known, such as $pc, $sp`
      : `Not an address: "${text}"${
        hint(text)
      }, and the guest's kernel has no symbol ${place.name}`,
    text,
  );
}

function hint(text: string): string {
  return /^[0-9a-fA-F]+$/.test(text.trim())
    ? ` (hexadecimal needs a prefix: 0x${text.trim()})`
    : "";
}

/**
 * Takes a range: `{ start, lengthBytes }`, a memory area, or a line of `/proc/PID/maps`, of `dmesg`.
 * Undefined if it is not a range at all.
 */
export async function rangeFrom(
  given: unknown,
  context: HelperContext,
): Promise<Required<AddressRange> | undefined> {
  const value = await given;
  if (typeof value === "string") {
    const pasted = readPasted(value);
    return pasted?.kind === "range" ? asRange(pasted.start, pasted.lengthBytes) : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { start, end, lengthBytes } = value as Record<string, unknown>;
  if (start === undefined) return undefined;
  const first = await addressFrom(start, context);
  if (typeof end === "bigint") return asRange(first, end - first);
  const isLength = typeof lengthBytes === "number" || typeof lengthBytes === "bigint";
  return isLength ? asRange(first, BigInt(lengthBytes)) : undefined;
}

/** Makes a range, its length a number. */
export function asRange(start: bigint, lengthBytes: bigint): Required<AddressRange> {
  return { start, lengthBytes: Number(lengthBytes) };
}
