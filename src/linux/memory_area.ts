/**
 * What a memory area is for: the program's heap or first stack, a page that the kernel puts there
 * (`special`: vdso, vvar), huge pages, a device's memory, a device's memory handed out by VFIO, a
 * file or memory shared as a file, or none of these.
 */
export type AreaKind =
  | "heap"
  | "stack"
  | "special"
  | "hugetlb"
  | "vfio"
  | "device"
  | "file"
  | "anonymous";

/** A memory area (VMA) of a process: a line of `/proc/PID/maps`. */
export interface MemoryArea {
  /** The first address. */
  readonly start: bigint;
  /** The address after the last. */
  readonly end: bigint;
  /** What the process may do, as `/proc/PID/maps` writes it: `rw-p`. */
  readonly permissions: string;
  /** Where in the file it begins, in bytes; 0 without a file. */
  readonly offset: bigint;
  /** What it is for. */
  readonly kind: AreaKind;
  /** The file's path or the name in brackets, as `/proc/PID/maps` writes it; empty if it has none. */
  readonly name: string;
  /** `vm_flags`. */
  readonly flags: bigint;
}
