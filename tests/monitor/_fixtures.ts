/** The QEMU releases whose recorded bytes stand under tests/fixtures/monitor/. */
export const VERSIONS = ["5.2.0", "7.2.22", "10.0.13", "11.1.3"] as const;

/** One of them. */
export type Version = typeof VERSIONS[number];

/** What QEMU's line editor adds after the prompt for the blank that the client types ahead. */
export const TYPED_AHEAD_ECHO = " \x1b[K";

const ROOT = new URL("../fixtures/monitor/", import.meta.url);

/** The bytes that QEMU sent after a command, from its echo to the next prompt. */
export function recorded(version: Version, name: string): Uint8Array {
  return Deno.readFileSync(new URL(`${version}/${name}.txt`, ROOT));
}

/** The text of a recorded reply: neither echo nor prompt, `\n` as line end; as `Monitor.command` returns it. */
export function replyText(version: Version, name: string): string {
  const text = new TextDecoder().decode(recorded(version, name));
  // Recordings of long tables were cut: they have no echo and no prompt.
  const body = text.includes("\x1b[K\r\n") ? text.slice(text.indexOf("\r\n") + 2) : text;
  return body.replace(/\(qemu\) $/, "").replaceAll("\r\n", "\n").replace(/\n$/, "");
}

/** Text as bytes, one for each character. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
