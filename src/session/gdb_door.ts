import type { CpuRegisters } from "../arch/x86/registers.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { connectGdb, type GdbClientOptions } from "../connectors/gdbstub/gdb_client.ts";
import { formatEndpoint, type GdbEndpoint } from "../monitor/endpoint/mod.ts";
import { readAllRegisters } from "../monitor/commands/registers.ts";
import type { Monitor } from "../monitor/monitor.ts";
import type { GuestSource } from "./guest_source.ts";

/**
 * Opens a gdbstub as a door: registers and memory by its packets, the monitor by `qRcmd`. The guest is
 * paused until the door is closed.
 *
 * @throws {InvalidArgumentError} if the session is to be recorded
 * @throws {ConnectError} if no connection comes about
 * @throws {NoBannerError} if a debugger holds the stub
 * @throws {WrongPeerError} if the peer is no gdbstub
 */
export async function openGdbDoor(
  endpoint: GdbEndpoint,
  options: GdbClientOptions & { record?: string },
): Promise<GuestSource> {
  if (options.record !== undefined) {
    throw new InvalidArgumentError(
      `Only what a monitor says can be recorded: connect to the -monitor instead of ${
        formatEndpoint(endpoint)
      }`,
      options.record,
    );
  }
  const client = await connectGdb(endpoint, options);
  return {
    endpoint: client.endpoint,
    qemuVersion: client.qemuVersion,
    cpus: {
      registers: async (cpu) => (await withUntold(client, [await client.registers(cpu)]))[0]!,
      allRegisters: async () => await withUntold(client, await client.allRegisters()),
    },
    memory: client.memory,
    monitor: client,
    notice: client.resumes
      ? "the gdbstub pauses the guest for as long as this is connected; it runs on at the end"
      : 'the guest was paused before, and stays so; "cont" at its monitor resumes it',
    close: () => client.close(),
  };
}

/** Adds what the packets do not tell and the monitor does: HLT, SMM, and where IDT and TR are. */
async function withUntold(monitor: Monitor, registers: CpuRegisters[]): Promise<CpuRegisters[]> {
  const all = await readAllRegisters(monitor);
  return registers.map((own) => {
    const told = all.find(({ cpu }) => cpu === own.cpu);
    if (told === undefined) return own;
    const { halted, smm, idtBase, trBase } = told;
    return {
      ...own,
      halted,
      ...smm !== undefined && { smm },
      ...idtBase !== undefined && { idtBase },
      ...trBase !== undefined && { trBase },
    };
  });
}
