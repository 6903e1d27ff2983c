import { ReplyParseError } from "../errors.ts";

/**
 * Reads QEMU's version from a monitor's banner, `QEMU 7.2.22 monitor - type 'help' for more
 * information`; returns an empty string if the banner names none.
 */
export function parseBanner(text: string): string {
  return /^QEMU (\S+) monitor/m.exec(text)?.[1] ?? "";
}

/**
 * Reads QEMU's version from `info version`, without the distribution's addition: 7.2 prints
 * `7.2.22Debian 1:7.2+dfsg-7+deb12u18`, so the number ends where no digit or dot follows.
 *
 * @throws {ReplyParseError} if the reply does not start with a version
 */
export function parseVersion(reply: string): string {
  const version = /^\d+\.\d+(?:\.\d+)*/.exec(reply.trimStart())?.[0];
  if (version === undefined) throw new ReplyParseError("info version", reply, "a version");
  return version;
}
