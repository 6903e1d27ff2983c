/** True where only Ctrl-C is a signal, and not even that while keys are taken. */
export const IS_WINDOWS = Deno.build.os === "windows";

/**
 * Gets every key at once and without echo, or gives the terminal back. Ctrl-C stays a signal where the
 * system allows it (Windows does not).
 */
export function takeKeys(taken: boolean): void {
  Deno.stdin.setRaw(taken, { cbreak: taken && !IS_WINDOWS });
}
