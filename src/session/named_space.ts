import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import { type AddressRegion, addressRegions } from "../linux/address_regions.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import type { Regime } from "../translate/regime.ts";
import type { Session } from "./session.ts";
import { isUnknown } from "./_unknown.ts";

/** What a Linux guest says of one of its address spaces. */
export interface NamedSpace {
  /** The kernel, and the process whose tables these are, a line each; or why nothing is known. */
  readonly facts: readonly string[];
  /** The parts that have names, in address order. */
  readonly regions: readonly AddressRegion[];
}

/**
 * Says whose address space a table is, and names its parts: the memory areas of a Linux process, what it
 * has VFIO map for devices, and the kernel's parts. Nothing of it goes into a verdict: the guest says it.
 *
 * @throws {MonitorError} if the guest cannot be asked
 *
 * @example Usage
 * ```ts
 * import { connect, nameAddressSpace } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { context } = await guest.tables();
 * assertEquals((await nameAddressSpace(guest, context)).regions, []); // it runs no kernel
 * ```
 */
export async function nameAddressSpace(session: Session, context: Regime): Promise<NamedSpace> {
  try {
    const linux = await session.linux();
    const process = (await linux.processes()).find(({ root, userRoot }) =>
      root !== null && [root, userRoot].includes(context.root)
    ) ?? null;
    const facts = [`Linux ${linux.version}`, ownerText(process)];
    const regions = await addressRegions(linux, process);
    if (process === null) {
      return { facts, regions };
    }
    const dma = await dmaOf(linux, process);
    return dma instanceof Error
      ? { facts: [...facts, `what VFIO maps is not named: ${dma.message}`], regions }
      : { facts, regions: withDma(regions, dma) };
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return { facts: [`parts have no names: ${error.message}`], regions: [] };
  }
}

function ownerText(process: LinuxProcess | null): string {
  return process ? `pid ${process.pid} ${escapeText(process.comm)}` : "the tables of no process";
}

/** What a process has VFIO map, by the kernel's list; the error where the kernel does not tell. */
async function dmaOf(linux: LinuxGuest, process: LinuxProcess): Promise<AddressRegion[] | Error> {
  try {
    const mappings = await linux.vfioMappings(process);
    return mappings.flatMap(({ address, lengthBytes, iova }) =>
      address === null ? [] : [{
        start: address,
        end: address + BigInt(lengthBytes),
        name: `VFIO DMA (IOVA ${formatAddress(iova)})`,
      }]
    );
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return error;
  }
}

/** Where both name an address, DMA is what one looks for: the area's name stays on what is left. */
function withDma(
  areas: readonly AddressRegion[],
  dma: readonly AddressRegion[],
): readonly AddressRegion[] {
  let left = areas;
  for (const { start, end } of dma) {
    left = left.flatMap((area) => {
      if (area.end <= start || area.start >= end) return [area];
      const before = area.start < start ? [{ ...area, end: start }] : [];
      return area.end > end ? [...before, { ...area, start: end }] : before;
    });
  }
  return [...left, ...dma].sort((a, b) => a.start < b.start ? -1 : 1);
}
