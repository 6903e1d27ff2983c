import { NoSuchCpuError } from "./errors.ts";
import { parseCpus } from "./commands/cpus.ts";

/** Runs one line on a monitor; `allowUnsafe` names what it may run besides the read-only commands. */
export type Exchange = (line: string, allowUnsafe?: readonly string[]) => Promise<string>;

/**
 * Runs a line on behalf of a vCPU at a monitor that keeps its vCPU as a setting, which is put back.
 *
 * @throws {NoSuchCpuError} if the guest has no such vCPU
 */
export async function runOnCpu(
  exchange: Exchange,
  line: string,
  cpu: number,
  endpoint: string,
): Promise<string> {
  const before = parseCpus(await exchange("info cpus")).find((row) => row.current);
  if (before?.cpu === cpu) return await exchange(line);
  if (await exchange(`cpu ${cpu}`, ["cpu"]) !== "") {
    const message = `The guest at ${endpoint} has no vCPU ${cpu}: "info cpus" lists those it has`;
    throw new NoSuchCpuError(cpu, message, { endpoint, command: line });
  }
  try {
    return await exchange(line);
  } finally {
    await exchange(`cpu ${before?.cpu ?? 0}`, ["cpu"]);
  }
}
