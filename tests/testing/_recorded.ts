/** The bytes that QEMU sent, recorded from four releases, and a machine with the recorded values. */
import { QEMU_FLAVOURS, type QemuRelease } from "../../src/testing/hmp_text/flavours.ts";
import {
  type CpuState,
  type HmpMachine,
  SEGMENT_NAMES,
  type SegmentState,
} from "../../src/testing/hmp_text/machine.ts";
import { pcMemoryRows } from "../../src/testing/hmp_text/pc_memory_rows.ts";
import { memoryRanges, SimulatedBus } from "../../src/testing/simulated_guest_bus.ts";
import { SparseMemory } from "../../src/testing/sparse_memory.ts";

export const RELEASES: readonly QemuRelease[] = ["5.2", "7.2", "10.0", "11.1"];

const FIXTURES = new URL("../fixtures/", import.meta.url);

/** What QEMU sent for one command: from its echo to the end of the next prompt, as latin1. */
export function recorded(release: QemuRelease, name: string): string {
  const { version } = QEMU_FLAVOURS[release];
  for (const folder of ["monitor", "testing"]) {
    const bytes = read(new URL(`${folder}/${version}/${name}.txt`, FIXTURES));
    if (bytes !== null) return latin1(bytes);
  }
  throw new Error(`There is no recording ${name} of QEMU ${version}`);
}

function read(url: URL): Uint8Array | null {
  try {
    return Deno.readFileSync(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The recorded machine had 1 GiB and two vCPUs. */
export class RecordedMachine implements HmpMachine {
  readonly flavour;
  readonly cpuCount = 2;
  readonly memoryRows;
  readonly memory: SparseMemory;
  running = true;
  readonly #bus: SimulatedBus;
  readonly #cpus: CpuState[];

  /** Takes the registers from a recording of `info registers`, and RAM from one of `xp`. */
  constructor(release: QemuRelease, registers = "hmp-info_registers_a") {
    this.flavour = QEMU_FLAVOURS[release];
    this.memoryRows = pcMemoryRows(1n << 30n, this.flavour);
    this.memory = new SparseMemory({ ranges: memoryRanges(this.memoryRows) });
    this.#bus = new SimulatedBus(this.memoryRows, this.memory, this.flavour);
    for (const dump of ["hmp-xp_512gx_0x1000000", "hmp-xp_2gx_0xfffffff0"]) {
      fill(this.memory, recorded(release, dump));
    }
    const cpus = recordedCpus(recorded(release, registers));
    this.#cpus = [0, 1].map((cpu) => cpus.find((state) => state.cpu === cpu) ?? cpus[0]!);
  }

  cpuState(cpu: number): CpuState {
    return this.#cpus[cpu]!;
  }

  sampleCpus(): readonly CpuState[] {
    return this.#cpus;
  }

  readBus(address: bigint, lengthBytes: number): Uint8Array | null {
    return this.#bus.read(address, lengthBytes);
  }
}

function fill(memory: SparseMemory, dump: string): void {
  for (const [, address, words] of dump.matchAll(/\n([0-9a-f]+):((?: 0x[0-9a-f]{16})+)/g)) {
    words!.trim().split(" ").forEach((word, i) =>
      memory.writeU64(BigInt(`0x${address}`) + BigInt(i * 8), BigInt(word))
    );
  }
}

/** Reads every vCPU's state back from the text of `info registers`. */
function recordedCpus(text: string): CpuState[] {
  const parts = text.slice(text.lastIndexOf("\x1b[K")).split(/CPU#(\d+)\r\n/);
  if (parts.length === 1) return [recordedCpu(0, parts[0]!)];
  const cpus: CpuState[] = [];
  for (let i = 1; i < parts.length; i += 2) cpus.push(recordedCpu(Number(parts[i]), parts[i + 1]!));
  return cpus;
}

function recordedCpu(cpu: number, text: string): CpuState {
  const value = (name: string) => {
    const [, digits] = new RegExp(`\\b${name} *=\\s*([0-9a-f]+)`).exec(text) ?? [];
    if (digits === undefined) throw new Error(`No ${name} in ${JSON.stringify(text)}`);
    return BigInt(`0x${digits}`);
  };
  const words = (name: string) => {
    const [, list] = new RegExp(`\\b${name} *=\\s*([0-9a-f ]*[0-9a-f])`).exec(text) ?? [];
    return list!.split(/ +/).map((word) => BigInt(`0x${word}`));
  };
  const segment = (name: string): SegmentState => {
    const [selector, base, limit, flags] = words(name);
    return { selector: Number(selector), base: base!, limit: Number(limit), flags: Number(flags) };
  };
  const table = (name: string) => {
    const [base, limit] = words(name);
    return { base: base!, limit: Number(limit) };
  };
  const avx = text.includes("YMM00");
  return {
    cpu,
    rip: value("RIP"),
    rflags: value("RFL"),
    cpl: Number(value("CPL")),
    cr0: value("CR0"),
    cr2: value("CR2"),
    cr3: value("CR3"),
    cr4: value("CR4"),
    efer: value("EFER"),
    halted: value("HLT") === 1n,
    general: ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP"]
      .concat(["R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"]).map(value),
    segments: Object.fromEntries(
      SEGMENT_NAMES.map((name) => [name, segment(name)]),
    ) as CpuState["segments"],
    gdt: table("GDT"),
    idt: table("IDT"),
    avx: true,
    vectors: Array.from({ length: 16 }, (_, i) => {
      const number = `${i}`.padStart(2, "0");
      if (!avx) return value(`XMM${number}`);
      return words(`YMM${number}`).reduce((whole, word) => whole << 64n | word, 0n);
    }),
  };
}
