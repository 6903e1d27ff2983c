import type { QemuFlavour } from "./flavours.ts";
import { hex } from "./hex.ts";
import { type CpuState, isLongMode, runs64BitCode } from "./machine.ts";
import { segmentLines } from "./segments.ts";

// Where each register stands in CpuState.general.
const GENERAL_64 = ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP"]
  .concat(["R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"]);
const GENERAL_32 = ["EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP"];

/** `info registers -a`: every vCPU under its own header. */
export function allRegistersText(cpus: readonly CpuState[], flavour: QemuFlavour): string {
  return cpus.map((cpu) => `${header(cpu.cpu)}${registersText(cpu, flavour)}`).join("");
}

/** `info registers` and `info registers N`: one vCPU, under a header since QEMU 7.2. */
export function oneCpuRegistersText(cpu: CpuState, flavour: QemuFlavour): string {
  return `${flavour.registersHeader ? header(cpu.cpu) : ""}${registersText(cpu, flavour)}`;
}

function header(cpu: number): string {
  return `\nCPU#${cpu}\n`;
}

function registersText(cpu: CpuState, flavour: QemuFlavour): string {
  const lines = [
    ...generalLines(cpu),
    ...segmentLines(cpu),
    ...controlLines(cpu),
    ...FLOATING_POINT_LINES,
    ...vectorLines(cpu, flavour),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function generalLines(cpu: CpuState): string[] {
  const wide = runs64BitCode(cpu);
  const digits = wide ? 16 : 8;
  const names = wide ? GENERAL_64 : GENERAL_32;
  const cells = names.map((name, i) =>
    `${name}=${hex(BigInt.asUintN(digits * 4, cpu.general[i] ?? 0n), digits)}`
  );
  const [ip, flags] = wide ? ["RIP", "RFL"] : ["EIP", "EFL"];
  return [
    ...rowsOf(cells, 4),
    `${ip}=${hex(cpu.rip, digits)} ${flags}=${hex(cpu.rflags, 8)} [${flagLetters(cpu.rflags)}]` +
    ` CPL=${cpu.cpl} II=0 A20=1 SMM=${cpu.smm ? 1 : 0} HLT=${cpu.halted ? 1 : 0}`,
  ];
}

/** DF, OF, SF, ZF, AF, PF, CF (Intel SDM volume 1, figure 3-8), as QEMU orders them. */
function flagLetters(rflags: bigint): string {
  const bits: [string, bigint][] = [
    ["D", 10n],
    ["O", 11n],
    ["S", 7n],
    ["Z", 6n],
    ["A", 4n],
    ["P", 2n],
    ["C", 0n],
  ];
  return bits.map(([letter, bit]) => ((rflags >> bit & 1n) === 1n ? letter : "-")).join("");
}

function controlLines(cpu: CpuState): string[] {
  // Seen in all four releases: CR2 and CR3 have 16 digits only with LMA, CR0 and CR4 never.
  const digits = isLongMode(cpu) ? 16 : 8;
  const { gdt, idt } = cpu;
  return [
    `GDT=     ${hex(gdt.base, digits)} ${hex(gdt.limit, 8)}`,
    `IDT=     ${hex(idt.base, digits)} ${hex(idt.limit, 8)}`,
    `CR0=${hex(cpu.cr0, 8)} CR2=${hex(cpu.cr2, digits)} CR3=${hex(cpu.cr3, digits)}` +
    ` CR4=${hex(cpu.cr4, 8)}`,
    [0, 1, 2, 3].map((i) => `DR${i}=${hex(0n, 16)} `).join(""),
    `DR6=${hex(0xffff0ff0n, 16)} DR7=${hex(0x400n, 16)}`,
    `EFER=${hex(cpu.efer, 16)}`,
  ];
}

const FLOATING_POINT_LINES = [
  "FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80",
  ...rowsOf([0, 1, 2, 3, 4, 5, 6, 7].map((i) => `FPR${i}=${hex(0n, 16)} 0000`), 2),
];

function vectorLines(cpu: CpuState, flavour: QemuFlavour): string[] {
  const registers = cpu.vectors.slice(0, runs64BitCode(cpu) ? 16 : 8);
  const words = (value: bigint, count: number) =>
    Array.from({ length: count }, (_, i) => hex(value >> BigInt(64 * (count - 1 - i)) & U64, 16));
  const number = (i: number) => `${i}`.padStart(2, "0");
  if (flavour.ymm && cpu.avx) {
    return registers.map((value, i) => `YMM${number(i)}=${words(value, 4).join(" ")}`);
  }
  const cells = registers.map((value, i) =>
    `XMM${number(i)}=${words(value, 2).join(flavour.xmmSeparator)}`
  );
  return rowsOf(cells, 2);
}

const U64 = (1n << 64n) - 1n;

function rowsOf(cells: readonly string[], perRow: number): string[] {
  const rows: string[] = [];
  for (let i = 0; i < cells.length; i += perRow) rows.push(cells.slice(i, i + perRow).join(" "));
  return rows;
}
