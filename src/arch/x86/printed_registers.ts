import { DamagedRegistersError } from "../errors.ts";
import type { Printed } from "../register_formats.ts";
import { EFER } from "./control_bits.ts";
import type { CpuRegisters } from "./registers.ts";

/** One vCPU's registers as printed; the number is null where QEMU printed no header. */
export type PrintedX86Registers = Printed<CpuRegisters>;

/**
 * Reads `info registers` or `info registers -a`. A `CPU#0` header stands before each vCPU, but not in
 * 5.2 unless `-a` was given. Outside of 64-bit code the names are EIP and EFL; CR2 and CR3 have 16
 * digits once long mode is active, else 8 (`x86_cpu_dump_state`, 5.2 to 11.1).
 *
 * @throws {DamagedRegistersError} if a register is missing
 */
export function parseRegisters(reply: string): PrintedX86Registers[] {
  const [unnumbered = "", ...numbered] = reply.split(/^CPU#(\d+)$/m);
  const all: PrintedX86Registers[] = [];
  if (unnumbered.trim() !== "") all.push(parseOne(null, unnumbered));
  for (let i = 0; i + 1 < numbered.length; i += 2) {
    all.push(parseOne(Number(numbered[i]), numbered[i + 1]!));
  }
  if (all.length === 0) throw new DamagedRegistersError(reply, "registers");
  return all;
}

/** Whether these are x86's registers. */
export function areX86Registers(reply: string): boolean {
  return /^(?:[RE]?IP|CR0)=/m.test(reply);
}

/** Where each register stands. */
const WORDS = {
  rip: word("^[RE]?IP="),
  rflags: word("^[RE]?IP=.* [RE]?FL="),
  cr0: word("^CR0="),
  cr2: word("^CR0=.* CR2="),
  cr3: word("^CR0=.* CR3="),
  cr4: word("^CR0=.* CR4="),
  efer: word("^EFER="),
  idtBase: word("^IDT= +"),
  trBase: word("^TR =[0-9a-f]{4} "),
};

function parseOne(cpu: number | null, block: string): PrintedX86Registers {
  const efer = hex(block, WORDS.efer, "EFER");
  const [, tr = ""] = WORDS.trBase.exec(block) ?? missing(block, "TR =");
  // In 32-bit code the segments' bases have 8 digits, and in long mode half of TR's is lost.
  const isWholeTr = tr.length === 16 || !(efer & EFER.LMA);
  return {
    cpu,
    rip: hex(block, WORDS.rip, "RIP"),
    rflags: hex(block, WORDS.rflags, "RFL"),
    cpl: Number(hex(block, /^[RE]?IP=.* CPL=([0-3])(?!\S)/m, "CPL")),
    cr0: hex(block, WORDS.cr0, "CR0"),
    cr2: hex(block, WORDS.cr2, "CR2"),
    cr3: hex(block, WORDS.cr3, "CR3"),
    cr4: hex(block, WORDS.cr4, "CR4"),
    efer,
    halted: hex(block, /^[RE]?IP=.* HLT=([01])(?!\S)/m, "HLT") === 1n,
    smm: hex(block, /^[RE]?IP=.* SMM=([01])(?!\S)/m, "SMM") === 1n,
    idtBase: hex(block, WORDS.idtBase, "IDT"),
    ...isWholeTr && { trBase: BigInt(`0x${tr}`) },
  };
}

/** Behind a name stand 8 or 16 digits, and nothing is glued to them: damaged, they are not numbers. */
function word(name: string): RegExp {
  return new RegExp(`${name}((?:[0-9a-f]{8}){1,2})(?!\\S)`, "m");
}

function hex(block: string, pattern: RegExp, name: string): bigint {
  const digits = pattern.exec(block)?.[1];
  if (digits === undefined) missing(block, `${name}=`);
  return BigInt(`0x${digits}`);
}

function missing(block: string, name: string): never {
  throw new DamagedRegistersError(block.trim(), name);
}
