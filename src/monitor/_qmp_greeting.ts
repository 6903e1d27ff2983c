import { type GreetingBounds, GreetingDeadline } from "./_greeting.ts";
import { qmpError } from "./_command_job.ts";
import {
  ConnectionLostError,
  MonitorError,
  NoBannerError,
  QmpError,
  WrongPeerError,
} from "./errors.ts";
import { FramingError } from "./hmp_codec.ts";
import { encodeQmp, parseQmp, type QmpEvent, type QmpFramer, type QmpLine } from "./qmp_codec.ts";
import type { Transport } from "./transport.ts";

/** What the negotiation of a QMP connection needs. */
export interface QmpGreetingOptions extends GreetingBounds {
  /** What it is connected to, as a user would type it. */
  endpoint: string;
  /** Called for each event that comes in between, with the length of its line. */
  onEvent(event: QmpEvent, lengthBytes: number): void;
}

/** The `id` of what leaves negotiation mode; those of commands start above it. */
const NEGOTIATION_ID = 0;
/** Far more than a greeting has, which is 170 bytes long (7.2). */
const MAX_GREETING_BYTES = 64 * 1024;

/**
 * Waits for a QMP server's greeting, leaves negotiation mode and returns QEMU's version. The transport
 * may be closed if that fails.
 */
export async function negotiateQmp(
  transport: Transport,
  framer: QmpFramer,
  options: QmpGreetingOptions,
): Promise<string> {
  const { endpoint, timeoutMs, signal } = options;
  using deadline = new GreetingDeadline(() => transport.close(), options);
  let qemuVersion = "";
  let begun = false;
  let hasGreeted = false;
  try {
    signal?.throwIfAborted();
    for (let accepted = false; !accepted;) {
      const bytes = await transport.read();
      if (bytes === null) throw new ConnectionLostError(`${endpoint} closed`, { endpoint });
      if (!begun && bytes.length > 0) requireBrace(bytes, endpoint);
      begun ||= bytes.length > 0;
      for (const line of framer.push(bytes)) accepted ||= await take(line);
      if (framer.pendingBytes > MAX_GREETING_BYTES) {
        throw new FramingError("a greeting without end");
      }
      deadline.check();
    }
    return qemuVersion;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof WrongPeerError || error instanceof QmpError) throw error;
    if (error instanceof FramingError) throw wrongPeer(endpoint, "unknown", error.message);
    if (deadline.late) throw lateError(endpoint, begun, timeoutMs);
    const detail = error instanceof MonitorError || !(error instanceof Error)
      ? ""
      : ` (${error.message})`;
    throw new ConnectionLostError(
      `${endpoint} closed the connection before it had greeted${detail}: is it a QMP server?`,
      { endpoint, cause: error },
    );
  }

  /** Takes one line; true once commands may be sent. */
  async function take(line: QmpLine): Promise<boolean> {
    if (!("text" in line)) throw new FramingError("a greeting without end");
    const message = parseQmp(line.text);
    if (message.kind === "event") {
      options.onEvent(message.event, line.text.length);
      return false;
    }
    const isGreeting = message.kind === "greeting";
    if (isGreeting === hasGreeted) {
      throw new FramingError(isGreeting ? "a second greeting" : "a reply before the greeting");
    }
    switch (message.kind) {
      case "greeting": {
        hasGreeted = true;
        qemuVersion = message.qemuVersion;
        const capabilities = encodeQmp("qmp_capabilities", NEGOTIATION_ID);
        await transport.write(new TextEncoder().encode(capabilities));
        return false;
      }
      case "error":
        throw qmpError("qmp_capabilities", message, endpoint);
      case "return":
        return true;
    }
  }
}

/** QMP's first byte is a brace; a human monitor's or a gdbstub's is not. */
function requireBrace(bytes: Uint8Array, endpoint: string): void {
  if (bytes[0] === "{".charCodeAt(0)) return;
  const text = new TextDecoder("latin1").decode(bytes);
  const peer = text.startsWith("QEMU ") ? "HMP" : /^[+-]*\$/.test(text) ? "gdbstub" : "unknown";
  throw wrongPeer(endpoint, peer, `it says ${JSON.stringify(text.slice(0, 40))}`);
}

function wrongPeer(endpoint: string, peer: string, detail: string): WrongPeerError {
  const advice = peer === "HMP"
    ? `this is a human monitor, so leave out the "qmp:"`
    : "use the address that QEMU was given with -qmp";
  return new WrongPeerError(peer, `${endpoint} is not a QMP server (${detail}): ${advice}`, {
    endpoint,
  });
}

function lateError(endpoint: string, begun: boolean, timeoutMs: number): NoBannerError {
  const what = begun
    ? `began to greet but was not ready within ${timeoutMs} ms: QEMU is busy, so try again or wait longer`
    : `accepted the connection but sent no QMP greeting within ${timeoutMs} ms: another client ` +
      "probably holds it, as libvirt does, and a QMP server serves one at a time (give QEMU a second -qmp)";
  return new NoBannerError(`${endpoint} ${what}`, timeoutMs, { endpoint });
}
