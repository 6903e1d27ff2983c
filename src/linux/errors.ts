import { formatAddress } from "../core/address.ts";
import { PagewalkError } from "../core/errors.ts";

/** No Linux kernel was found where one should be. */
export class LinuxNotFoundError extends PagewalkError {}

/** The kernel that was read no longer runs: the guest was reset, or started another one (kexec). */
export class KernelGoneError extends PagewalkError {
  /** The release of the kernel that is gone. */
  readonly release: string;

  /** Creates the error for one kernel. */
  constructor(release: string, options?: ErrorOptions) {
    super(
      `Linux ${release}, whose log was followed, no longer runs: the guest was reset, or has started ` +
        "another kernel; ask for the session's Linux again",
      options,
    );
    this.release = release;
  }
}

/** What of a Linux guest may be out of reach while the rest works. */
export type LinuxCapability =
  | "symbols"
  | "vmcoreinfo"
  | "types"
  | "processes"
  | "vmas"
  | "dmesg"
  | "vfio"
  | "modules";

/** Something that this kernel does not offer, or that was not found in it. */
export class CapabilityError extends PagewalkError {
  /** What is missing. */
  readonly capability: LinuxCapability;

  /** Creates the error; the message says why it is missing. */
  constructor(capability: LinuxCapability, message: string, options?: ErrorOptions) {
    super(message, options);
    this.capability = capability;
  }
}

/** Bytes of a kernel that are not what they should be: garbage, or a kernel of another make. */
export class KernelFormatError extends PagewalkError {
  /** What was being read, such as `kallsyms` or `maple tree`. */
  readonly structure: string;
  /** The virtual address where it went wrong, if there is one. */
  readonly address: bigint | null;

  /** Creates the error for one structure. */
  constructor(
    structure: string,
    problem: string,
    address: bigint | null = null,
    options?: ErrorOptions,
  ) {
    const where = address === null ? "" : ` at ${formatAddress(address)}`;
    super(`The kernel's ${structure}${where} cannot be read: ${problem}`, options);
    this.structure = structure;
    this.address = address;
  }
}

/** A list of the running kernel changed under the reader's hands, again and again. */
export class InconsistentListError extends PagewalkError {
  /** How often it was read. */
  readonly attempts: number;

  /** Creates the error; the cause is what was wrong at the last attempt. */
  constructor(what: string, attempts: number, options?: ErrorOptions) {
    super(
      `${what} changed while it was read, ${attempts} times in a row: try again, or read it while ` +
        "the guest is paused (frozen)",
      options,
    );
    this.attempts = attempts;
  }
}

/** The guest has no such process. */
export class NoSuchProcessError extends PagewalkError {
  /** The process as it was asked for: a pid or a name. */
  readonly wanted: number | string;

  /** Creates the error for a pid or a name. */
  constructor(wanted: number | string, message: string) {
    super(message);
    this.wanted = wanted;
  }
}

/** Several processes of the guest have that name. */
export class AmbiguousProcessError extends PagewalkError {
  /** The name. */
  readonly comm: string;
  /** Their process ids. */
  readonly pids: readonly number[];

  /** Creates the error for a name, or for what else was asked for, with how they are listed. */
  constructor(comm: string, pids: readonly number[], what = "are named", listed?: string) {
    const wanted = listed === undefined ? `"${comm}"` : comm;
    super(
      `${pids.length} processes ${what} ${wanted}: choose one by pid: ${listed ?? pids.join(", ")}`,
    );
    this.comm = comm;
    this.pids = pids;
  }
}
