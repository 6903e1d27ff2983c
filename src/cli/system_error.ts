import { escapeMessage } from "../core/escape.ts";
import { howToRead } from "../core/file_permission.ts";

/** `Requires write access to "/x", run again with the --allow-write flag`: Deno 2.9.6. */
const NOT_CAPABLE = /^Requires (\w+) access to (?:"([^]*)"|(.*?)),? run again with/;
/** `No space left on device (os error 28): writefile '/x'`; standard output has no path. */
const OS_ERROR = /^(.*?) \(os error \d+\)(?:[:,] (\w+) '([^]*)')?/;

const VERBS: Readonly<Record<string, string>> = {
  writefile: "write",
  readfile: "read",
  open: "open",
  mkdir: "make the folder",
  readdir: "read the folder",
  rename: "rename",
  stat: "read",
};

/**
 * Says in one line what the system or Deno's sandbox refused: a permission, a path that cannot be written, a
 * full disk. Null if the error is another.
 */
export function describeSystemError(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { message } = error;
  if (error instanceof Deno.errors.NotCapable) {
    const [, access = "", quoted, bare] = NOT_CAPABLE.exec(message) ?? [];
    const what = quoted ?? bare;
    if (what === undefined) return escapeMessage(message);
    if (access === "net") {
      // Port 0 is any that is free: the permission is for the host then.
      const host = what.replace(/:0$/, "");
      return escapeMessage(`No permission to use ${host}: run deno with --allow-net=${host}`);
    }
    const isRead = access === "read" || access === "all";
    const how = isRead ? howToRead(what, error) : `run deno with --allow-${access}=${what}`;
    const verb = access === "all" ? "open" : access;
    return escapeMessage(`No permission to ${verb} ${what}: ${how}`);
  }
  const [, reason, operation, path] = OS_ERROR.exec(message) ?? [];
  if (reason === undefined) return null;
  if (operation === undefined) return escapeMessage(`Cannot write standard output: ${reason}`);
  return escapeMessage(`Cannot ${VERBS[operation] ?? operation} ${path}: ${reason}`);
}
