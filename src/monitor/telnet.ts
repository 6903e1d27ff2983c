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
