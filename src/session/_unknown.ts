import { PagewalkError } from "../core/errors.ts";

/** Errors that say that something of a guest is not known, and not that it cannot be asked. */
const UNKNOWN = new Set([
  "CapabilityError",
  "ElfFormatError",
  "InconsistentListError",
  "KernelFormatError",
  "LinuxNotFoundError",
  "MemoryReadError",
  "NoSuchProcessError",
  "NotRecordedError",
  "PageFaultError",
  "WrongKernelError",
]);

/** Whether an error is one of these. */
export function isUnknown(error: unknown): error is PagewalkError {
  return error instanceof PagewalkError && UNKNOWN.has(error.name);
}
