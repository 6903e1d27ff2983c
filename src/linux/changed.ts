import { PagewalkError } from "../core/errors.ts";
import { MemoryReadError } from "../memory/physical_memory.ts";
import { PageFaultError } from "../translate/address_space.ts";
import { InconsistentListError, KernelFormatError } from "./errors.ts";

/** What was read no longer is what it was a moment before. */
export class Changed extends PagewalkError {}

/** Does an error mean that the kernel has changed what was read? */
export function isChange(error: unknown): boolean {
  // A pointer out of freed memory may lead anywhere.
  return error instanceof Changed || error instanceof MemoryReadError ||
    error instanceof PageFaultError;
}

/**
 * Reads what the kernel goes on changing, until it is whole.
 *
 * @param what what messages call it, such as `The process's memory areas`
 * @throws {InconsistentListError} if it changes under each attempt
 * @throws {KernelFormatError} if it was garbage at the last of them
 */
export async function untilWhole<T>(
  what: string,
  attempts: number,
  read: () => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      return await read();
    } catch (error) {
      // Garbage is what is found in freed memory, too.
      if (!isChange(error) && !(error instanceof KernelFormatError)) throw error;
      failure = error;
    }
  }
  if (failure instanceof KernelFormatError) throw failure;
  throw new InconsistentListError(what, attempts, { cause: failure });
}
