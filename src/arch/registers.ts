/**
 * The registers of one vCPU that address translation depends on: what those of all architectures have.
 * Each architecture adds its own.
 */
export interface GuestRegisters {
  /** The vCPU's number, as in `info cpus`. */
  readonly cpu: number;
  /** Which architecture's they are, such as `riscv`; x86's do not say. */
  readonly architecture?: string;
}
