import type { Transport } from "./transport.ts";
import {
  type GreetingBounds,
  GreetingDeadline,
  identifyPeer,
  UNKNOWN_ADVICE,
} from "./_greeting.ts";
import { ConnectionLostError, MonitorError, NoBannerError, WrongPeerError } from "./errors.ts";
import { BannerFramer, FramingError } from "./hmp_codec.ts";

/** A byte that QEMU's line editor ignores (`readline_handle_byte`). */
const NUDGE = new Uint8Array([0x00]);

/** A transport as HMP sees it: telnet commands taken out, acknowledgements hurried. */
export class HmpWire {
  /** What it is connected to, as a user would type it. */
  readonly endpoint: string;
  readonly #transport: Transport;
  readonly #nudging: boolean;
  #telnet: TelnetFilter | null = null;
  #started = false;

  constructor(transport: Transport, options: { nudge?: boolean | undefined } = {}) {
    this.endpoint = transport.name;
    this.#transport = transport;
    this.#nudging = options.nudge ?? transport.isTcp;
  }

  /** True once the peer has shown that it speaks telnet. */
  get isTelnet(): boolean {
    return this.#telnet !== null;
  }

  /** Returns the next bytes, none if there were telnet commands only, or null at the end. */
  async read(): Promise<Uint8Array | null> {
    const bytes = await this.#transport.read();
    if (bytes === null || bytes.length === 0) return bytes;
    // A port opened with telnet=on greets with a telnet command, whatever the endpoint said.
    if (!this.#started && startsTelnet(bytes)) this.#telnet = new TelnetFilter();
    this.#started = true;
    return this.#telnet?.push(bytes) ?? bytes;
  }

  /** Sends all the bytes. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#transport.write(bytes);
  }

  /**
   * Hurries the rest of a reply. QEMU writes its echo character by character; on TCP its kernel holds
   * each next piece back until the one before is acknowledged (Nagle), and ours delays that for 44 ms.
   * A byte that the line editor ignores carries the acknowledgement at once: 0.2 ms instead of 44 ms
   * a command, seen with 5.2 to 11.1. Elsewhere nothing is held back, and it would only cost time.
   */
  async nudge(): Promise<void> {
    if (this.#nudging) await this.#transport.write(NUDGE);
  }

  /** Closes both ways. */
  close(): void {
    this.#transport.close();
  }
}

const IAC = 0xff;
const SB = 0xfa;
const SE = 0xf0;
const WILL = 0xfb;

/**
 * Takes telnet's commands out of a stream of bytes (RFC 854), whatever way the stream is cut. It
 * answers none: QEMU asks for nothing that needs an answer (`FF FB 01 FF FB 03 FF FB 00 FF FD 00`).
 */
export class TelnetFilter {
  #state: "data" | "iac" | "option" | "subnegotiation" | "subnegotiationIac" = "data";

  /** Returns the data among the bytes; without a command in them, the very same array. */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#state === "data" && !bytes.includes(IAC)) return bytes;
    const data = new Uint8Array(bytes.length);
    let lengthBytes = 0;
    for (const byte of bytes) {
      if (this.#isData(byte)) data[lengthBytes++] = byte;
    }
    return data.subarray(0, lengthBytes);
  }

  #isData(byte: number): boolean {
    switch (this.#state) {
      case "data":
        if (byte !== IAC) return true;
        this.#state = "iac";
        return false;
      case "iac":
        this.#state = byte === SB ? "subnegotiation" : isOptionCommand(byte) ? "option" : "data";
        return byte === IAC; // A doubled 0xFF stands for one byte of data.
      case "option":
        this.#state = "data";
        return false;
      case "subnegotiation":
        if (byte === IAC) this.#state = "subnegotiationIac";
        return false;
      case "subnegotiationIac":
        this.#state = byte === SE ? "data" : "subnegotiation";
        return false;
    }
  }
}

/** Says whether the first byte of a connection shows that the peer speaks telnet. */
export function startsTelnet(bytes: Uint8Array): boolean {
  return bytes[0] === IAC;
}

/** WILL, WON'T, DO and DON'T (251 to 254) carry one byte more. */
function isOptionCommand(byte: number): boolean {
  return byte >= WILL && byte < IAC;
}

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
