import type { Transport } from "./transport.ts";

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
