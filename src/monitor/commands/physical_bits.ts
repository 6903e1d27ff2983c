import { PagewalkError } from "../../core/errors.ts";
import { ConnectionLostError, ReplyParseError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";

/** A path of QEMU's object tree that may be put into a command. */
const PATH = /^ +qom_path: "(\/[A-Za-z0-9_./[\]-]{1,200})"$/m;

/**
 * Reads MAXPHYADDR of the guest's vCPUs from the machine: the property `phys-bits` of the first one that
 * `info hotpluggable-cpus` lists (5.1 to 11.1); null if this monitor does not tell it.
 *
 * @throws {ConnectionLostError} if the connection breaks
 *
 * @example Usage
 * ```ts
 * import { connect, readPhysicalBits } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * assertEquals(await readPhysicalBits(guest.monitor), 40);
 * ```
 */
export async function readPhysicalBits(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<number | null> {
  try {
    const path = PATH.exec(await monitor.command("info hotpluggable-cpus", options))?.[1];
    if (path === undefined) return null;
    return parsePhysicalBits(await monitor.command(`qom-get ${path} phys-bits`, options));
  } catch (error) {
    // Whatever else keeps this monitor from telling it, the guest can still be read.
    if (error instanceof ConnectionLostError || !(error instanceof PagewalkError)) throw error;
    return null;
  }
}

/**
 * Reads the reply to `qom-get … phys-bits`: a decimal number.
 *
 * @throws {ReplyParseError} if it is none that a vCPU can have
 */
export function parsePhysicalBits(reply: string): number {
  const bits = /^\d{2}$/.test(reply.trim()) ? Number(reply) : NaN;
  if (bits >= 32 && bits <= 52) return bits;
  throw new ReplyParseError("qom-get", reply, "a number from 32 to 52");
}
