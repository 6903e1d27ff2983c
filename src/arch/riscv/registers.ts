/** The privilege that a hart runs in: user, supervisor or machine mode. */
export type RiscvPrivilege = "U" | "S" | "M";

/**
 * The registers of one RISC-V hart that address translation depends on, as QEMU prints them. What is
 * undefined was not told: up to 10.0 `info registers` has neither the privilege nor the hypervisor's
 * registers.
 */
export interface RiscvRegisters {
  /** Which architecture's registers these are. */
  readonly architecture: "riscv";
  /** The hart's number, as in `info cpus`. */
  readonly cpu: number;
  /** How many bits the supervisor's registers have. */
  readonly xlen: 32 | 64;
  /** The program counter. */
  readonly pc: bigint;
  /** The root register. While V is 1 it holds the inner guest's: what `vsatp` holds. */
  readonly satp: bigint;
  /** `mstatus`: SUM is bit 18, MXR bit 19. */
  readonly mstatus: bigint;
  /** V: whether the hart runs a guest of this guest. */
  readonly virtualized: boolean;
  /** The privilege. */
  readonly privilege?: RiscvPrivilege;
  /** The root register of a guest of this guest. */
  readonly vsatp?: bigint;
  /** The root register of the second stage. */
  readonly hgatp?: bigint;
  /** `menvcfg`: PBMTE is bit 62, ADUE bit 61. */
  readonly menvcfg?: bigint;
  /**
   * False where entries cannot have software bits 60 and 59 (Svrsw60t59b): QEMU up to 10.0 does not
   * know the extension.
   */
  readonly softwareBits60To59?: boolean;
}

/** Bits of `mstatus` and `sstatus` (RISC-V privileged architecture, 3.1.6). */
export const STATUS = {
  /** The trap came from supervisor mode. */
  SPP: 1n << 8n,
  /** Supervisor user memory access. */
  SUM: 1n << 18n,
  /** Make executable readable. */
  MXR: 1n << 19n,
} as const;

/** Bits of `menvcfg` (3.1.18). */
export const ENVCFG = {
  /** Hardware sets A and D (Svadu). */
  ADUE: 1n << 61n,
  /** Entries have a memory type (Svpbmt). */
  PBMTE: 1n << 62n,
} as const;
