import {
  type GreetingBounds,
  GreetingDeadline,
  identifyPeer,
  UNKNOWN_ADVICE,
} from "./_greeting.ts";
import type { HmpWire } from "./_hmp_wire.ts";
import { ConnectionLostError, MonitorError, NoBannerError, WrongPeerError } from "./errors.ts";
import { BannerFramer, FramingError } from "./hmp_codec.ts";

/**
 * Reads the banner and the first prompt, and returns QEMU's version. Until the banner has begun
 * nothing is sent: the port may be a guest's serial console, where every key counts.
 */
export async function readGreeting(wire: HmpWire, bounds: GreetingBounds): Promise<string> {
  const { timeoutMs, signal } = bounds;
  using deadline = new GreetingDeadline(() => wire.close(), bounds);
  const banner = new BannerFramer();
  try {
    signal?.throwIfAborted();
    while (!await step(wire, banner)) {
      deadline.check(); // The next chunk may complete it.
    }
    return parseBanner(banner.text);
  } catch (error) {
    wire.close();
    signal?.throwIfAborted();
    if (error instanceof WrongPeerError) throw error;
    if (deadline.late) throw lateError(wire.endpoint, banner.text, timeoutMs);
    const why = error instanceof FramingError ? `: ${error.message}` : "";
    throw error instanceof MonitorError ? error : new ConnectionLostError(
      `Connection to ${wire.endpoint} failed before the monitor's first prompt${why}`,
      { endpoint: wire.endpoint, cause: error },
    );
  }
}

/** Takes one chunk; returns true once the first prompt is there. */
async function step(wire: HmpWire, banner: BannerFramer): Promise<boolean> {
  const { endpoint } = wire;
  const bytes = await wire.read();
  if (bytes === null) {
    throw new ConnectionLostError(
      `${endpoint} closed the connection before the monitor's first prompt: is it a QEMU monitor?`,
      { endpoint },
    );
  }
  const complete = banner.push(bytes);
  const verdict = identifyPeer(banner.text);
  if (verdict.kind === "foreign") {
    // A peer that has gone meanwhile cannot be told anything; what it is stays the error.
    if (verdict.name === "gdbstub") await leaveGdbstub(wire).catch(() => {});
    throw wrongPeer(endpoint, verdict.name, verdict.advice, banner.text);
  }
  if (!complete && (verdict.kind === "monitor" || wire.isTelnet)) await wire.nudge();
  return complete;
}

/**
 * QEMU up to 7.2 greets with a stop reply if connecting has paused the guest, which ran. Detaching lets
 * it run on; once some client has told the stub of processes, it takes `D;1` only. Not a byte may follow,
 * as a running guest is stopped by any. The answer is awaited, as closing with something unread might
 * undo what was sent.
 */
async function leaveGdbstub(wire: HmpWire): Promise<void> {
  using _deadline = new GreetingDeadline(() => wire.close(), { timeoutMs: LEAVE_TIMEOUT_MS });
  for (const packet of ["+$D#44", "$D;1#b0"]) {
    await wire.write(new TextEncoder().encode(packet));
    let answer = "";
    while (!/\$[^#]*#../.test(answer)) {
      const bytes = await wire.read();
      if (bytes === null) return;
      answer += new TextDecoder("latin1").decode(bytes);
    }
    if (answer.includes("$OK")) return;
  }
}

const LEAVE_TIMEOUT_MS = 500;

function wrongPeer(endpoint: string, name: string, advice: string, text: string): WrongPeerError {
  const what = name === "unknown"
    ? `is not a QEMU monitor (it says ${JSON.stringify(text.slice(0, 40))})`
    : `speaks ${name}, not the human monitor's language`;
  return new WrongPeerError(name, `${endpoint} ${what}: ${advice}`, { endpoint });
}

function lateError(endpoint: string, text: string, timeoutMs: number): MonitorError {
  const verdict = identifyPeer(text).kind;
  if (verdict === "undecided" && text !== "") {
    return wrongPeer(endpoint, "unknown", UNKNOWN_ADVICE, text);
  }
  const gdb = /:1234$/.test(endpoint) ? " (1234 is QEMU's usual gdb port)" : "";
  const what = verdict === "monitor"
    ? `sent its banner but no prompt within ${timeoutMs} ms: QEMU is busy, so try again or wait longer`
    : `accepted the connection but sent no monitor banner within ${timeoutMs} ms: another client ` +
      `probably holds the monitor, which serves one at a time (close it, or give QEMU a second -monitor), or ` +
      `the port is the guest's serial console (-serial mon:… shares one port: give QEMU a -monitor of ` +
      `its own); a gdbstub or an HTTP server is as silent${gdb}`;
  return new NoBannerError(`${endpoint} ${what}`, timeoutMs, { endpoint });
}

/**
 * Reads QEMU's version from a monitor's banner, `QEMU 7.2.22 monitor - type 'help' for more
 * information`; returns an empty string if the banner names none.
 */
export function parseBanner(text: string): string {
  return /^QEMU (\S+) monitor/m.exec(text)?.[1] ?? "";
}
