import { startsTelnet, TelnetFilter } from "./telnet.ts";
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
