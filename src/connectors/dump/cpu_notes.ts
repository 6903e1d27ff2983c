import { CR0, CR4, EFER } from "../../arch/x86/control_bits.ts";
import type { CpuRegisters } from "../../arch/x86/registers.ts";
import type { DumpBytes } from "./dump_bytes.ts";
import type { ElfCore } from "./elf_core.ts";
import { DumpFormatError } from "./errors.ts";

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
const CR0_PE = 1n;
const EFER_LME = 1n << 8n;

/**
 * Reads the registers of each vCPU from QEMU's notes. EFER and whether a vCPU was halted are not in
 * them. Long mode is known all the same: the core's machine is that of vCPU 0 (and of all others that
 * page with PAE, since a guest's vCPUs are in one mode but while it boots), and a 64-bit code segment
 * proves it. NX is taken to be on wherever entries have room for it: with it off, a set bit 63 would
 * be a reserved bit, which no kernel that runs sets.
 *
 * @throws {DumpFormatError} if there is no such note, or one of an unknown version
 */
export function readCpuNotes(bytes: DumpBytes, core: ElfCore): CpuRegisters[] {
  const registers: CpuRegisters[] = [];
  const others = new Set<string>();
  for (const { name, description } of readNotes(bytes, core)) {
    if (name === "QEMU") {
      registers.push(registersFrom(description, registers.length, core, bytes.path));
    } else others.add(name);
  }
  if (registers.length > 0) return registers;
  throw new DumpFormatError(
    bytes.path,
    `it has no QEMU notes with the registers${
      whoseCore(others)
    }; only cores by dump-guest-memory ` +
      "are read",
  );
}

/** By the names of its notes, what wrote a core. */
function whoseCore(names: ReadonlySet<string>): string {
  if (names.has("VMCOREINFO")) return ": it is a kernel's own core (/proc/vmcore or makedumpfile)";
  if (names.has("VBCORE")) return ": it is a VirtualBox core";
  if (names.has(".note.Xen") || names.has("Xen")) return ": it is a Xen core";
  if (names.has("CORE")) return ": it is the core of a process";
  return "";
}

function* readNotes(
  bytes: DumpBytes,
  core: ElfCore,
): Generator<{ name: string; description: DataView }> {
  for (const { offset, lengthBytes } of core.notes) {
    const view = bytes.at(offset, lengthBytes);
    for (let at = 0; at + 12 <= lengthBytes;) {
      const [nameBytes, descriptionBytes] = [
        view.getUint32(at, true),
        view.getUint32(at + 4, true),
      ];
      const name = at + 12;
      const description = name + aligned(nameBytes);
      const end = description + descriptionBytes;
      if (end > lengthBytes) throw new DumpFormatError(bytes.path, "its notes are damaged");
      yield {
        name: text(view, name, nameBytes),
        description: new DataView(view.buffer, view.byteOffset + description, descriptionBytes),
      };
      at = description + aligned(descriptionBytes);
    }
  }
}

function registersFrom(
  state: DataView,
  cpu: number,
  core: ElfCore,
  path: string,
): CpuRegisters {
  if (state.byteLength < STATE_BYTES) {
    throw new DumpFormatError(path, `the note of vCPU ${cpu} is ${state.byteLength} bytes long`);
  }
  const version = state.getUint32(STATE.version, true);
  if (version !== STATE_VERSION) {
    throw new DumpFormatError(
      path,
      `the note of vCPU ${cpu} is of version ${version}, and version ${STATE_VERSION} is known`,
    );
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
    cpl: cr0 & CR0_PE ? dpl : 0,
    cr0,
    cr2,
    cr3,
    cr4,
    efer: eferOf(cr0, cr4, core.longMode || code64),
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

function text(view: DataView, at: number, lengthBytes: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, Math.min(lengthBytes, 64));
  return new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
}

function aligned(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 4) * 4;
}
