import type { Printed } from "../register_formats.ts";
import type { RiscvPrivilege, RiscvRegisters } from "./registers.ts";

/** One hart's registers as printed; the number is null where QEMU printed no header. */
export type PrintedRiscvRegisters = Printed<RiscvRegisters>;

/** `mstatus.UXL`: 0 on a 32-bit hart only, where these bits do not exist (3.1.6.3). */
const UXL_SHIFT = 32n;
const UXL_MASK = 3n;

/**
 * Says whether a reply to `info registers` is a RISC-V hart's: a `pc` in lower case followed by digits,
 * and a `mstatus` (`riscv_cpu_dump_state`, 7.2 to 11.1).
 */
export function isRiscvRegisters(reply: string): boolean {
  return /^ pc +[0-9a-f]{8,16}\r?$/m.test(reply) && /^ mstatus +[0-9a-f]{8,16}\r?$/m.test(reply);
}

/**
 * Reads `info registers` or `info registers -a` of a RISC-V guest, in the format of QEMU up to 10.0
 * (` V      =   0`) and in that of 11.1 (` priv          S`, ` V             0`, every CSR).
 *
 * @returns the harts; or the name of the register that is missing or damaged
 */
export function parseRiscvRegisters(
  reply: string,
): PrintedRiscvRegisters[] | { readonly missing: string } {
  const [unnumbered = "", ...numbered] = reply.split(/^CPU#(\d+)\r?$/m);
  const blocks: [cpu: number | null, text: string][] = [];
  if (unnumbered.trim() !== "") blocks.push([null, unnumbered]);
  for (let i = 0; i + 1 < numbered.length; i += 2) {
    blocks.push([Number(numbered[i]), numbered[i + 1]!]);
  }
  if (blocks.length === 0) return { missing: "registers" };
  const all: PrintedRiscvRegisters[] = [];
  for (const [cpu, text] of blocks) {
    const parsed = parseOne(cpu, text);
    if ("missing" in parsed) return parsed;
    all.push(parsed);
  }
  return all;
}

function parseOne(
  cpu: number | null,
  block: string,
): PrintedRiscvRegisters | { readonly missing: string } {
  const pc = digits(block, "pc");
  const satp = digits(block, "satp");
  const mstatus = digits(block, "mstatus");
  const v = /^ V +(= +)?([01])\r?$/m.exec(block);
  const missing = !pc ? "pc" : !mstatus ? "mstatus" : !v ? "V" : !satp ? "satp" : undefined;
  if (missing !== undefined) return { missing };
  const isOldFormat = v![1] !== undefined;
  const privilege = /^ priv +([USM])\r?$/m.exec(block)?.[1] as RiscvPrivilege | undefined;
  if (!isOldFormat && privilege === undefined) return { missing: "priv" };
  const status = value(mstatus!);
  return {
    architecture: "riscv",
    cpu,
    xlen: xlenOf(mstatus!),
    pc: value(pc!),
    satp: value(satp!),
    mstatus: status,
    virtualized: v![2] === "1",
    ...privilege && { privilege },
    ...optional(block, "vsatp"),
    ...optional(block, "hgatp"),
    ...optional(block, "menvcfg"),
    ...isOldFormat && { softwareBits60To59: false },
  };
}

/** `qemu-system-riscv64 -cpu rv32` prints 16 digits as well; there `mstatus` has no UXL. */
function xlenOf(mstatus: string): 32 | 64 {
  return mstatus.length === 8 || riscvXlen(value(mstatus)) === 32 ? 32 : 64;
}

/** The width of a hart's registers by its `mstatus`, as a register of 64 bits. */
export function riscvXlen(mstatus: bigint): 32 | 64 {
  return (mstatus >> UXL_SHIFT & UXL_MASK) === 0n ? 32 : 64;
}

/** A register's digits: 8 or 16, and nothing is glued to them. Damaged, they are no number. */
function digits(block: string, name: string): string | undefined {
  return new RegExp(`^ ${name} +((?:[0-9a-f]{8}){1,2})\\r?$`, "m").exec(block)?.[1];
}

function value(hex: string): bigint {
  return BigInt(`0x${hex}`);
}

function optional<K extends "vsatp" | "hgatp" | "menvcfg">(
  block: string,
  name: K,
): Partial<Record<K, bigint>> {
  const found = digits(block, name);
  return found === undefined ? {} : { [name]: value(found) } as Record<K, bigint>;
}
