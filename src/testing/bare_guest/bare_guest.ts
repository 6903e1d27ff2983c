import { InvalidArgumentError } from "../../core/errors.ts";
import type { CpuRegisters } from "../../arch/x86/registers.ts";
import { PageTableBuilder, type PageTableMode, registersFor } from "../page_table_builder.ts";
import { ramRange, SparseMemory } from "../sparse_memory.ts";
import { layOut, layOutBroken, MARKER_VA, PRIVATE_VA, SHARED_VA } from "./layout.ts";
import { bareGuestRom, MAX_VCPUS } from "./rom.ts";

/** How the bare guest pages; `none` leaves paging off. */
export type BareGuestMode = "none" | PageTableMode;

/** What the bare guest is to be. */
export interface BareGuestOptions {
  /**
   * The number of vCPUs, each with a root of its own.
   *
   * @default {2}
   */
  vcpus?: number;
  /**
   * RAM in bytes, a multiple of 1 MiB and at least 32 MiB.
   *
   * @default {67_108_864}
   */
  memoryBytes?: number;
  /**
   * Loads CR3 with process-context identifiers 1, 2, … and sets CR4.PCIDE; in 4-level and 5-level
   * paging only. QEMU's TCG takes the bit although its CPUID does not offer it (5.2 to 11.1).
   *
   * @default {false}
   */
  pcid?: boolean;
  /**
   * Adds entries with reserved bits and a table outside RAM. QEMU's `info tlb` and `gva2gpa` show
   * pages with reserved bits as if they were mapped (7.2.22), so they are not a measure for these.
   *
   * @default {false}
   */
  broken?: boolean;
}

/** How QEMU runs the guest, for {@linkcode BareGuest.qemuArgs}. */
export interface BareGuestMachineOptions {
  /**
   * QEMU's machine type.
   *
   * @default {"pc"}
   */
  machine?: "pc" | "q35";
  /** The path of a file that is the guest's RAM (`-object memory-backend-file,…,share=on`). */
  memoryFile?: string;
}

/** Bytes that QEMU is to load, and where. */
export interface BareGuestImage {
  /** A name for the file. */
  name: string;
  /** The guest-physical address, or null for the machine's firmware. */
  address: bigint | null;
  /** The file's content. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** A vCPU of the bare guest and what must be found on it. */
export interface BareGuestVcpu {
  /** Its page tables, or null with paging off. */
  tables: PageTableBuilder | null;
  /** Its registers: CR0, CR3, CR4 and EFER are exact, the others are not predicted. */
  registers: CpuRegisters;
}

/** A bootable guest of a few kilobytes of code and its page tables, and everything known of it. */
export interface BareGuest {
  /** How it pages. */
  mode: BareGuestMode;
  /** RAM in bytes. */
  memoryBytes: number;
  /** Its vCPUs, in order. */
  vcpus: BareGuestVcpu[];
  /**
   * RAM from 1 MiB to 2 GiB at most, as loaded. Nothing in it changes while the guest runs, but for
   * bit 5 of each PAE root's first entry: QEMU's TCG sets it, though the SDM has it reserved.
   */
  memory: SparseMemory;
  /** The files that QEMU loads. */
  images: BareGuestImage[];
  /** A text in memory: readable at `va` (two pages over scattered frames) unless paging is off. */
  marker: { va: bigint; text: string; frames: [bigint, bigint] };
  /** A page that every vCPU maps to a frame of its own, and the first of those that only one has. */
  pages: { sharedVa: bigint; privateVa: bigint };
  /**
   * Addresses whose walk on vCPU 0 ends at a broken entry, if they were asked for: one at a table
   * outside RAM, the others at reserved bits.
   */
  broken: bigint[];
  /** What each vCPU writes to port 0xe9 when it is ready, in no certain order. */
  readyBytes: string;
  /** QEMU's arguments, given the path of each image in the order of `images`; no monitor yet. */
  qemuArgs(paths: readonly string[], options?: BareGuestMachineOptions): string[];
}

/** 16 MiB. From here on: the marker's two frames, a frame for each vCPU, then the tables. */
const FRAMES_AT = 0x100_0000n;
const MARKER_FRAMES: [bigint, bigint] = [FRAMES_AT, FRAMES_AT + 0x1000n];
const MARKER_TEXT = "pagewalk bare guest: this text crosses from one page into the next";
const CR0_PE_ET = 0x11n;

/**
 * Builds a guest for a real QEMU that sets up one paging mode on each vCPU and halts. No assembler,
 * no kernel and no BIOS are needed, and it is up within milliseconds of QEMU's start.
 *
 * @throws {InvalidArgumentError} if an option does not fit the mode
 *
 * @example Usage
 * ```ts
 * import { bareGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const guest = bareGuest("4-level");
 * assertEquals(guest.images.map(({ name }) => name), ["rom.bin", "memory.bin"]);
 * assertEquals(guest.vcpus[0]!.registers.cr3, guest.vcpus[0]!.tables!.root);
 * ```
 */
export function bareGuest(mode: BareGuestMode, options: BareGuestOptions = {}): BareGuest {
  const { vcpus: count = 2, memoryBytes = 64 << 20, pcid = false, broken = false } = options;
  requireFits(mode, count, memoryBytes, pcid);
  // The first megabyte has holes, and large machines have one below 4 GiB: both are left out.
  const end = BigInt(Math.min(memoryBytes, 0x8000_0000));
  const memory = new SparseMemory({ ranges: [ramRange(0x10_0000n, end)] });
  const ofVcpu = Array.from({ length: count }, (_, i) => FRAMES_AT + BigInt(2 + i) * 0x1000n);
  const tablesAt = FRAMES_AT + BigInt(2 + count) * 0x1000n;
  ofVcpu.forEach((frame, i) => memory.writeBytes(frame, encode(`vCPU ${i}`)));
  const markerVa = writeMarker(memory);

  const vcpus: BareGuestVcpu[] = [];
  let brokenVas: bigint[] = [];
  for (let cpu = 0; cpu < count; cpu++) {
    if (mode === "none") {
      vcpus.push({ tables: null, registers: registersWithoutPaging(cpu) });
      continue;
    }
    const previous = vcpus.at(-1)?.tables;
    const tables = new PageTableBuilder(mode, memory, {
      tablesAt: previous?.tablesEnd ?? tablesAt,
    });
    const first = vcpus[0]?.tables ?? undefined;
    layOut(tables, cpu, { marker: MARKER_FRAMES, ofVcpu }, first);
    if (broken && cpu === 0) brokenVas = layOutBroken(tables);
    const registers = registersFor(tables, {
      cpu,
      protectionKeys: mode === "4-level" || mode === "5-level",
      ...(pcid ? { pcid: cpu + 1 } : {}),
    });
    vcpus.push({ tables, registers: { ...registers, halted: true } });
  }

  return {
    mode,
    memoryBytes,
    vcpus,
    memory,
    images: imagesOf(memory, vcpus),
    marker: { va: markerVa, text: MARKER_TEXT, frames: MARKER_FRAMES },
    pages: { sharedVa: SHARED_VA, privateVa: PRIVATE_VA },
    broken: brokenVas,
    readyBytes: vcpus.map((_, i) => String.fromCharCode(48 + i)).join(""),
    qemuArgs(paths, options = {}) {
      return qemuArgs(this, paths, options);
    },
  };
}

function requireFits(mode: BareGuestMode, vcpus: number, memoryBytes: number, pcid: boolean): void {
  if (!(vcpus >= 1 && vcpus <= MAX_VCPUS)) {
    throw new InvalidArgumentError(
      `The bare guest has 1 to ${MAX_VCPUS} vCPUs, not ${vcpus}`,
      vcpus,
    );
  }
  if (memoryBytes < 32 << 20 || memoryBytes % (1 << 20) !== 0) {
    throw new InvalidArgumentError(
      `The bare guest's RAM is a multiple of 1 MiB from 32 MiB up, not ${memoryBytes} bytes`,
      memoryBytes,
    );
  }
  if (pcid && mode !== "4-level" && mode !== "5-level") {
    throw new InvalidArgumentError(`CR4.PCIDE needs 4-level or 5-level paging, not ${mode}`, mode);
  }
}

/** Puts the text so that its first half ends one frame, and the other starts the frame before. */
function writeMarker(memory: SparseMemory): bigint {
  const text = encode(MARKER_TEXT);
  const half = text.length >> 1;
  const [second, first] = MARKER_FRAMES;
  memory.writeBytes(first + 0x1000n - BigInt(half), text.subarray(0, half));
  memory.writeBytes(second, text.subarray(half));
  return MARKER_VA + 0x1000n - BigInt(half);
}

function imagesOf(memory: SparseMemory, vcpus: BareGuestVcpu[]): BareGuestImage[] {
  const rom = bareGuestRom(vcpus.map(({ registers }) => registers));
  const [run] = memory.writtenRuns(); // one run: everything lies page by page from FRAMES_AT on
  return [
    { name: "rom.bin", address: null, bytes: rom },
    { name: "memory.bin", address: run!.address, bytes: run!.bytes },
  ];
}

/** What every QEMU from 5.2 on takes. */
function qemuArgs(
  guest: BareGuest,
  paths: readonly string[],
  { machine = "pc", memoryFile }: BareGuestMachineOptions,
): string[] {
  const megabytes = `${guest.memoryBytes / (1 << 20)}M`;
  const files = guest.images.flatMap(({ address }, i) => {
    const path = paths[i]!;
    if (address === null) return ["-bios", path];
    const at = `addr=0x${address.toString(16)},force-raw=on`;
    return ["-device", `loader,file=${inOption(path)},${at}`];
  });
  const backend = memoryFile === undefined ? [] : [
    "-object",
    `memory-backend-file,id=ram,size=${megabytes},mem-path=${inOption(memoryFile)},share=on`,
  ];
  return [
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-machine", `${machine}${memoryFile === undefined ? "" : ",memory-backend=ram"}`],
    ...["-accel", "tcg", "-cpu", "max", "-smp", `${guest.vcpus.length}`, "-m", megabytes],
    ...backend,
    ...files,
  ];
}

/** A comma ends a value in QEMU's options unless it is doubled. */
function inOption(path: string): string {
  return path.replaceAll(",", ",,");
}

function registersWithoutPaging(cpu: number): CpuRegisters {
  const none = { cr2: 0n, cr3: 0n, cr4: 0n, efer: 0n };
  return { cpu, rip: 0n, rflags: 2n, cpl: 0, cr0: CR0_PE_ET, ...none, halted: true };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
