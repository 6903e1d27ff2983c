/** The registers of one vCPU that paging depends on, as QEMU prints them. */
export interface CpuRegisters {
  /** The vCPU's number, as in `info cpus`. */
  cpu: number;
  /** The instruction pointer: RIP, EIP or IP. */
  rip: bigint;
  /** The flags register. Bit 18 (AC) gates SMAP. */
  rflags: bigint;
  /** The current privilege level, 0 to 3. */
  cpl: number;
  /** CR0: paging (bit 31) and write protection (bit 16). */
  cr0: bigint;
  /** CR2: the address of the last page fault. */
  cr2: bigint;
  /** CR3: the page-table root with PCID or cache bits. */
  cr3: bigint;
  /** CR4: PAE, PSE, PGE, PCIDE, LA57, SMEP, SMAP, PKE. */
  cr4: bigint;
  /** EFER: long mode (bits 8 and 10) and NX (bit 11). */
  efer: bigint;
  /** True if the vCPU was halted (`HLT=1`) when it was asked; a dump does not tell, and says false. */
  halted: boolean;
  /** True if EFER was not told but taken from what is: then nobody knows of EFER.SVME. As in a dump. */
  eferAssumed?: true;
  /** True in system-management mode (`SMM=1`); undefined where it is not told, as in a dump. */
  smm?: boolean;
  /** The base of the interrupt descriptor table; undefined where it is not told. */
  idtBase?: bigint;
  /** The base of the task-state segment; undefined where it is not told, as in 32-bit code. */
  trBase?: bigint;
}
