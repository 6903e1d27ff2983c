import { InvalidArgumentError } from "../core/errors.ts";
import { type QemuProcess, startQemu } from "./qemu_process.ts";
import { RiscvPageTables, type RiscvTableMode } from "./riscv_page_tables.ts";
import { ramRange, SparseMemory } from "./sparse_memory.ts";

/** Where RAM begins on QEMU's `virt` machine, and the boot code with it. */
const RAM = 0x8000_0000n;
const RAM_BYTES = 0x800_0000n;
/** The page of the boot code: every table must map it to itself, executable by the supervisor. */
const CODE = RAM;
/** Where the spinning loop is in it, and what each hart gets. */
const LOOP = 0x80n;
const HARTS = 0x100n;
const HART_BYTES = 128;
const MAX_HARTS = 16;
/** Tables of hart n begin at this and 16 MiB times n. */
const TABLES = 0x8100_0000n;
const TABLES_STRIDE = 0x100_0000n;
/** The UART of the `virt` machine. */
const UART = 0x1000_0000;

// CSR numbers (RISC-V privileged architecture, 2.2).
const CSR = {
  vsstatus: 0x200,
  vsatp: 0x280,
  satp: 0x180,
  mstatus: 0x300,
  menvcfg: 0x30a,
  mepc: 0x341,
  sepc: 0x141,
  pmpcfg0: 0x3a0,
  pmpaddr0: 0x3b0,
  hstatus: 0x600,
  henvcfg: 0x60a,
  henvcfgh: 0x61a,
  hgatp: 0x680,
  mhartid: 0xf14,
} as const;
/** `mstatus`: MPP is supervisor, and SUM and MXR let a debugger's read touch every page. */
const MPP_S = 1n << 11n;
const SUM = 1n << 18n;
const MXR = 1n << 19n;
/** `henvcfg` of 64 bits: hardware sets A and D for the inner guest too, as it does by reset for others. */
const ADUE = 1n << 61n;
/** SPP is supervisor. */
const SPP = 1n << 8n;
/** `hstatus`: SPV and SPVP, by which SRET enters the inner guest, as QEMU from 10.0 on drops MPV. */
const SPV = 0x180;

const [T0, T1, T2, T3] = [5, 6, 7, 28] as const;

/** One hart of the bare RISC-V guest. */
export interface RiscvBareHart {
  /** The tables of `satp`, or of `vsatp` where there is a second stage. */
  tables: RiscvPageTables;
  /** The second stage's tables. */
  second: RiscvPageTables | null;
}

/** What the bare RISC-V guest is to be. */
export interface RiscvBareGuestOptions {
  /** How each hart translates; by their number there are as many harts. */
  harts: readonly { mode: RiscvTableMode; second?: RiscvTableMode }[];
  /** Fills the tables of a hart; the page of the code is mapped already. */
  fill(hart: RiscvBareHart, number: number): unknown;
  /** QEMU's `-cpu`. @default {"rv64"} or {"rv32"} */
  cpu?: string;
  /** QEMU's path. @default `qemu-system-riscv64` or `qemu-system-riscv32` on PATH */
  binary?: string;
  /** Writes `menvcfg`. @default {false} */
  menvcfg?: bigint;
  /** Leaves the harts in machine mode, with their root registers set. @default {false} */
  machineMode?: boolean;
  /** More of QEMU's arguments, such as a monitor. */
  args: readonly string[];
}

/** A bare RISC-V guest on a running QEMU. Disposing of it ends QEMU. */
export interface RunningRiscvBareGuest extends AsyncDisposable {
  /** Its harts, in order. */
  harts: RiscvBareHart[];
  /** What was loaded. */
  memory: SparseMemory;
  /** The address of the instruction that every hart comes to. */
  loopAddress: bigint;
  /** The QEMU that runs it. */
  process: QemuProcess;
}

/**
 * Boots a RISC-V guest of some thirty instructions and its page tables: each hart sets its root
 * registers, enters supervisor mode and spins there. No assembler is needed, and no firmware runs.
 *
 * @throws {QemuStartError} if QEMU is missing, refuses, or the guest is not up in time
 *
 * @example Usage
 * ```ts
 * import { qemuAvailable, startRiscvBareGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * if (await qemuAvailable("qemu-system-riscv64")) {
 *   await using guest = await startRiscvBareGuest({
 *     harts: [{ mode: "Sv39" }],
 *     fill: ({ tables }) => tables.map(0x1000n, 0x8080_0000n, 0, { bits: "VRWUAD" }),
 *     args: ["-monitor", "none"],
 *   });
 *   assertEquals(guest.harts.length, 1);
 * }
 * ```
 */
export async function startRiscvBareGuest(
  options: RiscvBareGuestOptions,
): Promise<RunningRiscvBareGuest> {
  const { harts: wanted, fill, menvcfg, args, machineMode = false } = options;
  const isWide = !wanted.some(({ mode }) => mode === "Sv32");
  if (wanted.length > MAX_HARTS) throw new InvalidArgumentError("Too many harts", wanted.length);
  const memory = new SparseMemory({ ranges: [ramRange(RAM, RAM + RAM_BYTES)] });
  const harts = wanted.map(({ mode, second }, number) => {
    const at = TABLES + TABLES_STRIDE * BigInt(number);
    const hart = {
      tables: new RiscvPageTables(mode, memory, at),
      second: second ? new RiscvPageTables(second, memory, at + TABLES_STRIDE / 2n) : null,
    };
    hart.tables.map(CODE, CODE, 0, { bits: "VRWXAD" });
    if (hart.second) {
      // What the inner guest takes for its tables and code is where the machine has them.
      hart.second.map(CODE, CODE, 0, { bits: "VRWXUAD" });
      for (let page = at; page < at + 0x10_0000n; page += 0x1000n) {
        hart.second.map(page, page, 0, { bits: "VRWXUAD" });
      }
    }
    fill(hart, number);
    return hart;
  });
  memory.writeBytes(CODE, bootCode(isWide, wanted.some(({ second }) => second), menvcfg));
  harts.forEach(({ tables, second }, number) => {
    const status = SUM | MXR | (machineMode ? 3n << 11n : MPP_S);
    const values = [
      second ? 0n : tables.rootRegister,
      second ? status | SPP : status,
      CODE + LOOP,
      second ? tables.rootRegister : 0n,
      second?.rootRegister ?? 0n,
      menvcfg ?? 0n,
      ADUE,
    ];
    const at = CODE + HARTS + BigInt(HART_BYTES * number);
    values.forEach((value, i) => memory.writeU64(at + BigInt(8 * i), value));
  });

  await using cleanup = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "pagewalk-riscv-guest-" });
  cleanup.defer(() => Deno.remove(directory, { recursive: true }));
  const loaders: string[] = [];
  for (const { address, bytes } of memory.writtenRuns()) {
    const path = `${directory}/${address.toString(16)}`;
    await Deno.writeFile(path, bytes);
    loaders.push("-device", `loader,file=${path},addr=0x${address.toString(16)},force-raw=on`);
  }
  const process = await startQemu([
    ...["-M", "virt", "-cpu", options.cpu ?? (isWide ? "rv64" : "rv32")],
    ...["-m", "128M", "-smp", String(harts.length), "-accel", "tcg"],
    ...["-nodefaults", "-display", "none", "-bios", "none", "-serial", "stdio"],
    ...loaders,
    ...args,
  ], {
    binary: options.binary ?? `qemu-system-riscv${isWide ? 64 : 32}`,
    readyBytes: harts.map((_, i) => String.fromCharCode(0x41 + i)).join(""),
  });
  cleanup.use(process);
  const owned = cleanup.move();
  return {
    ...{ harts, memory, process, loopAddress: CODE + LOOP },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What every hart runs from the reset on, in machine mode. */
function bootCode(
  isWide: boolean,
  hasSecond: boolean,
  menvcfg: bigint | undefined,
): Uint8Array<ArrayBuffer> {
  const words: number[] = [
    csrRead(T0, CSR.mhartid),
    auipc(T1), // t1 = CODE + 4
    shiftLeft(T2, T0, Math.log2(HART_BYTES)),
    add(T1, T1, T2),
    // One region of everything may be touched by the supervisor (3.7.1).
    addImmediate(T2, 0, -1),
    csrWrite(CSR.pmpaddr0, T2),
    addImmediate(T2, 0, 0x1f),
    csrWrite(CSR.pmpcfg0, T2),
  ];
  const fromTable = (csr: number, slot: number) => {
    words.push(load(T2, T1, Number(HARTS) - 4 + 8 * slot, isWide), csrWrite(csr, T2));
  };
  fromTable(CSR.satp, 0);
  fromTable(CSR.mstatus, 1);
  fromTable(CSR.mepc, 2);
  if (hasSecond) {
    words.push(addImmediate(T2, 0, SPV), csrWrite(CSR.hstatus, T2));
    fromTable(CSR.sepc, 2);
    fromTable(CSR.vsatp, 3);
    fromTable(CSR.hgatp, 4);
    words.push(loadUpper(T2, Number((SUM | MXR) >> 12n)), csrWrite(CSR.vsstatus, T2));
    // With 32 bits the upper half has a register of its own.
    if (isWide) fromTable(CSR.henvcfg, 6);
    else fromTable(CSR.henvcfgh, 6.5);
  }
  if (menvcfg !== undefined) fromTable(CSR.menvcfg, 5);
  words.push(
    addImmediate(T0, T0, 0x41), // 'A' for hart 0
    loadUpper(T3, UART >> 12),
    storeByte(T0, T3),
    hasSecond ? 0x1020_0073 : 0x3020_0073, // sret or mret
  );
  if (words.length * 4 > Number(LOOP)) throw new Error("The boot code runs into its loop");
  const bytes = new Uint8Array(Number(LOOP) + 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setUint32(4 * i, word >>> 0, true));
  view.setUint32(Number(LOOP), 0x0000_006f, true); // j .
  return bytes;
}

// Instructions (RISC-V unprivileged architecture, 2.2 and the listings of opcodes).

function immediate(value: number, rs1: number, kind: number, rd: number, opcode: number): number {
  return value << 20 | rs1 << 15 | kind << 12 | rd << 7 | opcode;
}

function addImmediate(rd: number, rs1: number, value: number): number {
  return immediate(value, rs1, 0, rd, 0x13);
}

function shiftLeft(rd: number, rs1: number, by: number): number {
  return immediate(by, rs1, 1, rd, 0x13);
}

function load(rd: number, rs1: number, offset: number, isWide: boolean): number {
  return immediate(offset, rs1, isWide ? 3 : 2, rd, 0x03);
}

function csrRead(rd: number, csr: number): number {
  return immediate(csr, 0, 2, rd, 0x73);
}

function csrWrite(csr: number, rs1: number): number {
  return immediate(csr, rs1, 1, 0, 0x73);
}

function add(rd: number, rs1: number, rs2: number): number {
  return rs2 << 20 | rs1 << 15 | rd << 7 | 0x33;
}

function auipc(rd: number): number {
  return rd << 7 | 0x17;
}

function loadUpper(rd: number, pages: number): number {
  return pages << 12 | rd << 7 | 0x37;
}

function storeByte(rs2: number, rs1: number): number {
  return rs2 << 20 | rs1 << 15 | 0x23;
}
