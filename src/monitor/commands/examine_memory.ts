import { type AddressLike, formatAddress, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";
import { type MemoryDump, type MemoryDumpRequest, parseMemoryDump } from "../parse/memory_dump.ts";

/** How much one `xp` fetches. QEMU spends a few milliseconds on it, and the reply is 4 times as long. */
const CHUNK_BYTES = 32 * 1024;
const MAX_ADDRESS = 0xffff_ffff_ffff_ffffn;

/**
 * Reads guest-physical memory with `xp`, in the densest form (8-byte values). It asks for whatever it
 * is told to: on a device's memory `xp` reads the device. `MonitorMemory` keeps to RAM and ROM.
 *
 * The result is shorter than asked for where QEMU says `Cannot access memory`; QEMU gives up a whole
 * 16-byte row for one byte of it.
 *
 * @throws {InvalidArgumentError} if the range does not lie in 64 bits
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, examineMemory } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { bytes, unreadableFrom } = await examineMemory(guest.monitor, 0x1000, 16);
 * assertEquals([bytes.length, unreadableFrom], [16, null]);
 * ```
 */
export async function examineMemory(
  monitor: Monitor,
  at: AddressLike,
  lengthBytes: number,
  options: CommandOptions = {},
): Promise<MemoryDump> {
  const address = parseAddress(at);
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0) {
    throw new InvalidArgumentError(`Not a length: ${lengthBytes}`, lengthBytes);
  }
  if (address + BigInt(lengthBytes) > MAX_ADDRESS + 1n) {
    throw new InvalidArgumentError(
      `${lengthBytes} bytes at ${formatAddress(address)} go beyond the 64-bit address space`,
      at,
    );
  }
  const requests = split(address, lengthBytes);
  if (requests.length === 1) return await examine(monitor, requests[0]!, options);
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  for (const request of requests) {
    const dump = await examine(monitor, request, options);
    bytes.set(dump.bytes, filled);
    filled += dump.bytes.length;
    if (dump.unreadableFrom !== null) {
      return { bytes: bytes.subarray(0, filled), unreadableFrom: dump.unreadableFrom };
    }
  }
  return { bytes, unreadableFrom: null };
}

async function examine(
  monitor: Monitor,
  request: MemoryDumpRequest,
  options: CommandOptions,
): Promise<MemoryDump> {
  const { address, count, sizeBytes } = request;
  const unit = sizeBytes === 8 ? "g" : "b";
  // Counts are decimal, the address is an expression.
  const line = `xp /${count}${unit}x ${formatAddress(address)}`;
  return parseMemoryDump(await monitor.command(line, options), request);
}

/** 8-byte values as far as they go, and single bytes for the rest; nothing beyond the range. */
function split(address: bigint, lengthBytes: number): MemoryDumpRequest[] {
  const requests: MemoryDumpRequest[] = [];
  for (let done = 0; done < lengthBytes;) {
    const left = Math.min(lengthBytes - done, CHUNK_BYTES);
    const sizeBytes = left >= 8 ? 8 : 1;
    const count = Math.floor(left / sizeBytes);
    requests.push({ address: address + BigInt(done), count, sizeBytes });
    done += count * sizeBytes;
  }
  return requests;
}
