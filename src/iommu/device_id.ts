import { InvalidArgumentError } from "../core/errors.ts";

/**
 * Reads a PCI device's number as `lspci` writes it: `03.0` (bus 0), `00:03.0`, `0000:00:03.0`.
 *
 * @returns the requester id that an IOMMU knows it by: bus in bits 15:8, device 7:3, function 2:0
 * @throws {InvalidArgumentError} if it is none, or in another PCI segment than 0
 *
 * @example Usage
 * ```ts
 * import { formatDeviceId, parseDeviceId } from "@pagewalk/pagewalk/devices";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDeviceId("0000:00:03.0"), 0x18);
 * assertEquals(formatDeviceId(parseDeviceId("1f.2")), "00:1f.2");
 * ```
 */
export function parseDeviceId(text: string): number {
  const match = /^(?:(?:([0-9a-f]{4}):)?([0-9a-f]{1,2}):)?([0-9a-f]{1,2})\.([0-7])$/i.exec(
    String(text).trim(),
  );
  const [bus, device, fn] = match === null
    ? [0, 32, 0]
    : [match[2] ?? "0", match[3]!, match[4]!].map((digits) => parseInt(digits, 16));
  if (match === null || device! > 31) {
    throw new InvalidArgumentError(
      `Not a PCI device: ${JSON.stringify(text)}; write bus:device.function, such as 00:03.0`,
      text,
    );
  }
  if (parseInt(match[1] ?? "0", 16) !== 0) {
    throw new InvalidArgumentError(
      `Only devices of PCI segment 0 are supported, ${text} is in another`,
      text,
    );
  }
  return bus! << 8 | device! << 3 | fn!;
}

/**
 * Writes a requester id as `lspci` does. See {@linkcode parseDeviceId}.
 *
 * @example Usage
 * ```ts
 * import { formatDeviceId } from "@pagewalk/pagewalk/devices";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatDeviceId(0x18), "00:03.0");
 * ```
 */
export function formatDeviceId(requesterId: number): string {
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  return `${hex(requesterId >> 8)}:${hex(requesterId >> 3 & 31)}.${requesterId & 7}`;
}
