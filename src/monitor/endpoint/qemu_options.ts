/** What QEMU takes after an address. */
const QEMU_OPTIONS = /(?:,(?:server|wait|nowait|nodelay|delay|ipv4|ipv6|reconnect)(?:=[^,]*)?)+$/;

/** Returns an address without QEMU's options, so that the text behind `-monitor` can be pasted as it stands. */
export function withoutQemuOptions(text: string): string {
  return text.replace(QEMU_OPTIONS, "");
}
