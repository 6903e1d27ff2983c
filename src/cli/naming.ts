import type { AddressNamer } from "../session/address_namer.ts";
import type { GuestTables } from "../session/ranges.ts";
import type { Session } from "../session/session.ts";
import { flag, type FlagOption } from "./options.ts";

/** What asks for the names of memory areas. */
export type NamesOptionSpecs = {
  /** Whether they are shown of tables that no process was named for, too. */
  readonly names: FlagOption;
};

/** The option that asks for the names of memory areas. */
export const NAMES_OPTION: NamesOptionSpecs = {
  names: flag("name memory areas and files (the default for a process that is named)"),
};

/**
 * Names for the parts of a Linux process's address space, if a process was named or they are asked for. If
 * the kernel does not tell them, that is said; what is listed is what it is without.
 *
 * @param isAsked whether it is an error that they cannot be had
 * @throws {LinuxNotFoundError} if they are asked for and the guest runs no Linux
 */
export async function namerFor(
  guest: Session,
  tables: GuestTables,
  isAsked: boolean,
): Promise<AddressNamer | null> {
  // Kernels that are known by their file keep no memory areas.
  const hasNames = tables.source.kind === "process" && guest.kernelPath === null;
  if (!isAsked && !hasNames) return null;
  const [{ AddressNamer }, { CapabilityError, InconsistentListError }] = await Promise.all([
    import("../session/address_namer.ts"),
    import("../linux/errors.ts"),
  ]);
  try {
    return await AddressNamer.of(await guest.linux(), tables);
  } catch (error) {
    const isKnown = error instanceof CapabilityError || error instanceof InconsistentListError;
    if (isAsked || !isKnown) throw error;
    console.error(`note: no names of memory areas: ${error.message}`);
    return null;
  }
}
