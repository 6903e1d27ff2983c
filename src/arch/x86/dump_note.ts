import type { DumpedMachine } from "../register_formats.ts";
import { CR0, CR4, EFER } from "./control_bits.ts";
import type { CpuRegisters } from "./registers.ts";

/**
 * Where the fields are in a note of QEMU's (`QEMUCPUState` in target/i386/arch_dump.c, 5.2 to 11.1;
 * newer ones only grew at the end). A segment is five fields: selector, limit, flags, padding, base.
 */
const STATE = {
  version: 0,
  rip: 8 + 16 * 8,
  rflags: 8 + 17 * 8,
  csFlags: 8 + 18 * 8 + 8,
  ssFlags: 8 + 18 * 8 + 5 * 24 + 8,
  trBase: 8 + 18 * 8 + 7 * 24 + 16,
  idtBase: 8 + 18 * 8 + 9 * 24 + 16,
  cr: 8 + 18 * 8 + 10 * 24,
} as const;
const STATE_BYTES = STATE.cr + 5 * 8;
const STATE_VERSION = 1;

/** A segment's descriptor as QEMU keeps it: the upper four bytes (Intel SDM vol. 3, 3.4.5). */
const DESCRIPTOR_L = 1 << 21;
const DESCRIPTOR_DPL_SHIFT = 13;
const EFER_LME = 1n << 8n;

/**
 * Reads QEMU's note of one vCPU. EFER and whether the vCPU was halted are not in it. Long mode is known
 * all the same: the dump's machine is that of vCPU 0 (and of all others that page with PAE, since a
 * guest's vCPUs are in one mode but while it boots), and a 64-bit code segment proves it. NX is taken to
 * be on wherever entries have room for it: with it off, a set bit 63 would be a reserved bit, which no
 * kernel that runs sets.
 */
export function registersOfNote(
  state: DataView,
  cpu: number,
  { longMode }: DumpedMachine,
): CpuRegisters | string {
  if (state.byteLength < STATE_BYTES) {
    return `the note of vCPU ${cpu} is ${state.byteLength} bytes long`;
  }
  const version = state.getUint32(STATE.version, true);
  if (version !== STATE_VERSION) {
    return `the note of vCPU ${cpu} is of version ${version}, and version ${STATE_VERSION} is known`;
  }
  const word = (at: number) => state.getBigUint64(at, true);
  const [cr0, cr2, cr3, cr4] = [0, 2, 3, 4].map((n) => word(STATE.cr + n * 8)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const code64 = (state.getUint32(STATE.csFlags, true) & DESCRIPTOR_L) !== 0;
  const dpl = (state.getUint32(STATE.ssFlags, true) >> DESCRIPTOR_DPL_SHIFT) & 3;
  return {
    cpu,
    rip: word(STATE.rip),
    rflags: word(STATE.rflags),
    cpl: cr0 & CR0.PE ? dpl : 0,
    cr0,
    cr2,
    cr3,
    cr4,
    efer: eferOf(cr0, cr4, longMode || code64),
    eferAssumed: true,
    halted: false,
    idtBase: word(STATE.idtBase),
    trBase: word(STATE.trBase),
  };
}

function eferOf(cr0: bigint, cr4: bigint, longMode: boolean): bigint {
  if (!(cr0 & CR0.PG) || !(cr4 & CR4.PAE)) return 0n;
  return longMode ? EFER.LMA | EFER_LME | EFER.NXE : EFER.NXE;
}
