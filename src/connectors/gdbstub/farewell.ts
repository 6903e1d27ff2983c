import { Watchdog } from "../../core/watchdog.ts";
import { MonitorError } from "../../monitor/errors.ts";
import type { CommandOptions } from "../../monitor/monitor.ts";

/** How long resuming the guest may take before the connection is given up. */
export const RESUME_TIMEOUT_MS = 2000;
/** The same where the stub had its time to answer: what is sent counts, an answer need not come. */
export const UNANSWERED_TIMEOUT_MS = 50;
/** Longer than any connection takes that comes about, but for far ones. */
const CONNECTING_MS = 1000;

/** Puts the stub back as it was, as it keeps `PhyMemMode` for its next client. */
export const LEAVE_PHYSICAL_MEMORY = "Qqemu.PhyMemMode:0";
/**
 * Lets the guest run. The plain `D` is refused with `E22` once any client has offered to know processes;
 * with the process's number it always works (5.2 to 11.1; a guest has one process, unless its vCPUs are in
 * clusters).
 */
export const DETACH = "D;1";

/**
 * Says farewell to the stub, so that the guest runs on. After any answer but that refusal nothing more
 * is sent, as a running guest is stopped by any byte. Returns false if that was not confirmed.
 */
export async function resume(
  connection: { farewell(data: string, options: CommandOptions): Promise<string> },
  run: boolean,
  timeoutMs: number,
): Promise<boolean> {
  const options = { timeoutMs };
  try {
    const [, answer] = await Promise.all([
      connection.farewell(LEAVE_PHYSICAL_MEMORY, options),
      run ? connection.farewell(DETACH, options) : "OK",
    ]);
    return answer === "OK" ||
      answer === "E22" && await connection.farewell("D", options) === "OK";
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    return false; // The connection is at its end: whoever used it is told so by his own request.
  }
}

/**
 * Connects, and follows a signal only after a connection under way has had the time to come about. Given
 * up in the moment in which it does, it could not be told to let the guest run on.
 */
export async function connectOrLateAbort<T>(
  connect: (signal?: AbortSignal) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await connect();
  const late = new AbortController();
  const clock = new Watchdog(() => late.abort(signal.reason));
  const onAbort = () => clock.start(CONNECTING_MS);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await connect(late.signal);
  } finally {
    signal.removeEventListener("abort", onAbort);
    clock.stop();
  }
}

/** Waits until a promise has settled, either way, but no longer than this. */
export async function settledWithin(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const clock = new Watchdog(late.resolve);
  clock.start(timeoutMs);
  await Promise.race([promise.then(() => {}, () => {}), late.promise]);
  clock.stop();
}
