import {
  CapabilityError,
  KernelFormatError,
  KernelGoneError,
  LinuxNotFoundError,
} from "../linux/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { FollowLogOptions } from "../linux/log.ts";
import type { LogRecord } from "../linux/printk_ring.ts";

/** What following a guest's log yields. */
export type LogEvent =
  /** A kernel runs: the first one, or another after a reset or kexec. */
  | { readonly kind: "kernel"; readonly release: string }
  /** A record of its log. */
  | { readonly kind: "record"; readonly record: LogRecord }
  /** The kernel no longer runs. */
  | { readonly kind: "gone"; readonly release: string };

/** How often a guest is asked whether a kernel runs in it again. */
const RETRY_MS = 500;

/** Follows the log of the guest's kernel, and of each that comes after it, until the signal ends it. */
export async function* followLog(
  session: { linux(): Promise<LinuxGuest> },
  options: FollowLogOptions,
): AsyncGenerator<LogEvent, void> {
  const { last, ...others } = options;
  let linux = await session.linux();
  for (let isFirst = true;; isFirst = false) {
    const release = linux.version;
    yield { kind: "kernel", release };
    try {
      const how = isFirst && last !== undefined ? { ...others, last } : others;
      for await (const record of linux.followDmesg(how)) yield { kind: "record", record };
      return;
    } catch (error) {
      if (!(error instanceof KernelGoneError)) throw error;
    }
    yield { kind: "gone", release };
    linux = await nextKernel(session, options.signal);
  }
}

/** Waits for a kernel that can be read: one that is still starting cannot yet. */
async function nextKernel(
  session: { linux(): Promise<LinuxGuest> },
  signal: AbortSignal | undefined,
): Promise<LinuxGuest> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await session.linux();
    } catch (error) {
      const isStarting = error instanceof LinuxNotFoundError ||
        error instanceof KernelFormatError || error instanceof CapabilityError;
      if (!isStarting) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
