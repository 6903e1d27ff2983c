import { architectureOf } from "../arch/architectures.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { MonitorMemory } from "../memory/monitor_memory.ts";
import { openRamFiles } from "../memory/ram_file_memory.ts";
import { type GuestSource, NoMonitorError } from "../connectors/connector.ts";

/**
 * Reads a connection's memory from the files behind the guest's RAM, if there are any. If that fails, it
 * is closed.
 *
 * @throws {RamFileError} if a file may not be read, or is not this guest's RAM
 * @throws {NoMonitorError} if the connector has no monitor to ask where the files' bytes lie
 * @throws {InvalidArgumentError} if the session is to be recorded
 */
export async function withRamFiles(
  source: GuestSource,
  { ram = [], record }: { ram?: readonly string[]; record?: string },
): Promise<GuestSource> {
  if (ram.length === 0) return source;
  try {
    if (source.monitor === undefined) throw new NoMonitorError(source.endpoint);
    if (record !== undefined) {
      throw new InvalidArgumentError(
        "Only monitor sessions can be recorded: leave out the RAM file",
        record,
      );
    }
    const roots = (await source.cpus.allRegisters()).map((registers) =>
      architectureOf(registers).registers.rootOf(registers)
    );
    const byMonitor = source.memory instanceof MonitorMemory
      ? source.memory
      : new MonitorMemory(source.monitor);
    const files = await openRamFiles(ram, byMonitor, roots);
    return {
      ...source,
      memory: files.memory,
      async close() {
        files[Symbol.dispose]();
        await source.close();
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
