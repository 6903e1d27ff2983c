/** Says whether a reply can be one to a request; `match` is what the request's pattern caught. */
type Fits = (reply: string, match: RegExpExecArray) => boolean;

/**
 * What replies look like, by their request (GDB manual, appendix E). The protocol numbers nothing: one
 * reply too many, and every later one would be taken for that to another request. So a reply of the wrong
 * shape ends the connection.
 */
const SHAPES: readonly [request: RegExp, fits: Fits][] = [
  // What is not there at all is an error; QEMU reads all of a range or nothing (5.2 to 11.1).
  [/^m[0-9a-f]+,([0-9a-f]+)$/, (reply, [, length]) => reply.length === 2 * parseInt(length!, 16)],
  // General and control registers of an x86 have 2 to 8 bytes.
  [/^p/, (reply) => /^(?:[0-9a-f]{2}){1,8}$/i.test(reply)],
  [/^qXfer:/, (reply) => /^[lm]/.test(reply)],
  [/^q[fs]ThreadInfo$/, (reply) => /^(?:l$|m[0-9a-fp.,]+$)/i.test(reply)],
  [/^(?:Hg|D|Qqemu\.)/, (reply) => reply === "OK"],
];

/** Not supported, or an error: either may be said to any request. */
const REFUSAL = /^(?:|E[0-9a-f]{2}|E\..*)$/i;

/** Says whether a reply can be one to this request. */
export function fitsRequest(reply: string, request: string): boolean {
  for (const [pattern, fits] of SHAPES) {
    const match = pattern.exec(request);
    if (match !== null) return fits(reply, match) || REFUSAL.test(reply);
  }
  return true;
}
