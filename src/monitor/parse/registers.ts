import type { CpuRegisters } from "../../cpu/registers.ts";
import { ReplyParseError } from "../errors.ts";

/**
 * One vCPU's registers as printed: the number is null where QEMU printed no header.
 */
export type PrintedRegisters = Omit<CpuRegisters, "cpu"> & { cpu: number | null };

/**
 * Reads `info registers` or `info registers -a`. A `CPU#0` header stands before each vCPU, but not in
 * 5.2 unless `-a` was given. Outside of 64-bit code the names are EIP and EFL; CR2 and CR3 have 16
 * digits once long mode is active, else 8 (`x86_cpu_dump_state`, 5.2 to 11.1).
 *
 * @throws {ReplyParseError} if a register is missing
 */
export function parseRegisters(reply: string): PrintedRegisters[] {
  const [unnumbered = "", ...numbered] = reply.split(/^CPU#(\d+)$/m);
  const all: PrintedRegisters[] = [];
  if (unnumbered.trim() !== "") all.push(parseOne(null, unnumbered));
  for (let i = 0; i + 1 < numbered.length; i += 2) {
    all.push(parseOne(Number(numbered[i]), numbered[i + 1]!));
  }
  if (all.length === 0) throw new ReplyParseError("info registers", reply, "registers");
  return all;
}

function parseOne(cpu: number | null, block: string): PrintedRegisters {
  return {
    cpu,
    rip: hex(block, /^[RE]?IP=([0-9a-f]+)/m, "RIP"),
    rflags: hex(block, /^[RE]?IP=.* [RE]?FL=([0-9a-f]+)/m, "RFL"),
    cpl: Number(hex(block, /^[RE]?IP=.* CPL=([0-3])/m, "CPL")),
    cr0: hex(block, /^CR0=([0-9a-f]+)/m, "CR0"),
    cr2: hex(block, /^CR0=.* CR2=([0-9a-f]+)/m, "CR2"),
    cr3: hex(block, /^CR0=.* CR3=([0-9a-f]+)/m, "CR3"),
    cr4: hex(block, /^CR0=.* CR4=([0-9a-f]+)/m, "CR4"),
    efer: hex(block, /^EFER=([0-9a-f]+)/m, "EFER"),
    halted: hex(block, /^[RE]?IP=.* HLT=([01])/m, "HLT") === 1n,
  };
}

function hex(block: string, pattern: RegExp, name: string): bigint {
  const digits = pattern.exec(block)?.[1];
  if (digits === undefined) {
    throw new ReplyParseError("info registers", block.trim(), `${name}=`);
  }
  return BigInt(`0x${digits}`);
}
