/**
 * What QEMU's telnet server says first: WILL echo, WILL suppress go-ahead, WILL binary, DO binary
 * (RFC 854 to 858; seen in QEMU 5.2 to 11.1).
 */
export const TELNET_GREETING: Uint8Array<ArrayBuffer> = Uint8Array.of(
  ...[0xff, 0xfb, 0x01],
  ...[0xff, 0xfb, 0x03],
  ...[0xff, 0xfb, 0x00],
  ...[0xff, 0xfd, 0x00],
);

const IAC = 0xff;

/** Takes telnet commands out of what a client sends, as QEMU does: IAC and the two bytes after it. */
export class TelnetInput {
  #inCommand = 0;

  /** Returns the bytes that are not part of a command. */
  filter(bytes: Uint8Array): Uint8Array {
    return bytes.filter((byte) => {
      if (this.#inCommand === 0) {
        if (byte === IAC) this.#inCommand = 1;
        return byte !== IAC;
      }
      const isEscapedIac = this.#inCommand === 1 && byte === IAC;
      this.#inCommand = isEscapedIac || this.#inCommand === 2 ? 0 : 2;
      return isEscapedIac;
    });
  }
}
