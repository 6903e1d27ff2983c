/**
 * Says how a file may be read that Deno has refused to open. Files under /dev (/dev/shm and /dev/hugepages
 * too), /proc and /sys want `--allow-all`, by a link as well, although a query says that they may be read
 * (Deno 2.9.6, denoland/deno#30979).
 *
 * @param cause what opening it threw, if it was tried
 */
export function howToRead(path: string, cause?: unknown): string {
  const wantsAll = cause instanceof Deno.errors.NotCapable && cause.message.includes("--allow-all");
  return wantsAll
    ? "Deno opens nothing under /dev, /proc or /sys without --allow-all, whatever --allow-read says; " +
      "put it elsewhere, such as on a tmpfs of its own (mount -t tmpfs none /run/guest)"
    : `run deno with --allow-read=${path}`;
}
