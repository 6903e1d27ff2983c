const encoder = new TextEncoder();

/** Writes text to standard output at once, all of it. */
export function writeOut(text: string): void {
  writeAll(Deno.stdout, text);
}

/** Writes text to standard error at once, all of it. */
export function writeError(text: string): void {
  writeAll(Deno.stderr, text);
}

function writeAll(file: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
}
