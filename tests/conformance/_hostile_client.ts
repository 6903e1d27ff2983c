/** Goes in by each endpoint of its arguments, and prints what came of it and its memory, as JSON. */
import { connect, PagewalkError } from "../../mod.ts";

/** What came of one endpoint. */
export interface HostileOutcome {
  /** The error's class and message; null if there was none, or one that is no PagewalkError. */
  error: { name: string; message: string } | null;
  /** What else was thrown. */
  untyped: string | null;
  /** The most memory that the process has had so far, in MiB (`VmHWM`). */
  peakMiB: number;
}

if (import.meta.main) {
  console.log(JSON.stringify(await run("sim:")));
  for (const endpoint of Deno.args) console.log(JSON.stringify(await run(endpoint)));
}

async function run(endpoint: string): Promise<HostileOutcome> {
  const outcome: HostileOutcome = { error: null, untyped: null, peakMiB: 0 };
  try {
    await using guest = await connect(endpoint, {
      bannerTimeoutMs: 300,
      commandTimeoutMs: 600,
      maxReplyBytes: 4 << 20,
    });
    await guest.registers(0);
    await guest.memory.read(0x1000n, 16);
  } catch (error) {
    if (error instanceof PagewalkError) {
      outcome.error = { name: error.name, message: error.message };
    } else outcome.untyped = String(error);
  }
  const status = await Deno.readTextFile("/proc/self/status");
  outcome.peakMiB = Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024);
  return outcome;
}
