import { type AddressLike, formatAddress, parseAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import { ElfFile, type ElfSymbol } from "../elf/elf_file.ts";
import { WrongKernelError } from "../elf/errors.ts";
import {
  AmbiguousProcessError,
  InconsistentListError,
  NoSuchProcessError,
} from "../linux/errors.ts";
import type { WantedProcess } from "../linux/processes.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type Regime, withRoot } from "../translate/regime.ts";
import { findProcessTable, type ProcessTable } from "./process_table.ts";

/** A process of a kernel that is known by its ELF file. */
export interface ElfProcess {
  /** The process id. */
  readonly pid: number;
  /** Its name; empty in kernels that name none. */
  readonly comm: string;
  /** What it does, in the kernel's own word, such as `SLEEPING`; a number where it has no words. */
  readonly state: string;
  /** How much memory it has; null in kernels that do not say. */
  readonly sizeBytes: bigint | null;
  /** The physical address of its top page table; null if it has none yet. */
  readonly root: bigint | null;
  /** The virtual address of its struct. */
  readonly address: bigint;
}

/** What reading such a kernel takes. */
export interface ElfKernelInit {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** How the guest pages now, with any root. */
  context(): Promise<Regime>;
}

const COMPARED_BYTES = 64;
const MAX_ATTEMPTS = 10;
const MAX_LISTED = 20;

/**
 * A guest's kernel as its ELF file describes it: xv6 and kernels like it, which keep their processes in
 * one array and map their own memory linearly.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 *
 * async function list(monitor: string, kernel: string): Promise<string[]> {
 *   await using guest = await connect(monitor, { kernel });
 *   const xv6 = await guest.elfKernel();
 *   return (await xv6.processes()).map(({ pid, comm, state }) => `${pid} ${state} ${comm}`);
 * }
 * ```
 */
export class ElfKernel {
  readonly #file: ElfFile;
  readonly #parts: ElfKernelInit;
  readonly #table: ProcessTable;
  #symbols: readonly ElfSymbol[] | null = null;

  private constructor(file: ElfFile, table: ProcessTable, parts: ElfKernelInit) {
    this.#file = file;
    this.#table = table;
    this.#parts = parts;
  }

  /**
   * Reads a kernel's file, and makes sure that the guest runs it.
   *
   * @throws {ElfFormatError} if it is no such kernel
   * @throws {WrongKernelError} if the guest's memory holds something else
   */
  static async open(bytes: Uint8Array, parts: ElfKernelInit): Promise<ElfKernel> {
    const file = new ElfFile(bytes);
    const kernel = new ElfKernel(file, await findProcessTable(file), parts);
    await kernel.#checkHeld();
    return kernel;
  }

  /** The name of the array of processes, such as `proc`. */
  get processTable(): string {
    return this.#table.name;
  }

  /** The symbol of a name; null if the kernel has none. */
  symbol(name: string): ElfSymbol | null {
    return this.#sorted().find((symbol) => symbol.name === name) ?? null;
  }

  /** All symbols, in address order. */
  symbols(): readonly ElfSymbol[] {
    return this.#sorted();
  }

  /** The symbol that an address belongs to, and how far it is into it; null outside of all. */
  symbolAt(address: AddressLike): ElfSymbol & { readonly offset: number } | null {
    const at = parseAddress(address);
    const all = this.#sorted();
    const index = all.findLastIndex((symbol) => symbol.address <= at);
    const found = all[index];
    if (found === undefined) return null;
    const offset = at - found.address;
    // What is written in assembler mostly has no length: it goes on to the next.
    const end = found.sizeBytes || (all[index + 1]?.address ?? at) - found.address;
    return offset < end ? { ...found, offset: Number(offset) } : null;
  }

  /** Lists all processes, in the order of the array. */
  async processes(options: ReadOptions = {}): Promise<ElfProcess[]> {
    // The kernel goes on: what is told of a process was true of it at one time if nothing has changed.
    let before = await this.#read(options);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const again = await this.#read(options);
      const isSame = again.length === before.length &&
        again.every(({ pid, root }, i) => pid === before[i]!.pid && root === before[i]!.root);
      if (isSame) return again;
      before = again;
    }
    throw new InconsistentListError(`The array ${this.#table.name}`, MAX_ATTEMPTS);
  }

  /**
   * Finds one process, by its pid or its name.
   *
   * @throws {NoSuchProcessError} if there is none
   * @throws {AmbiguousProcessError} if several have that name
   */
  async process(wanted: WantedProcess, options: ReadOptions = {}): Promise<ElfProcess> {
    const { comm, ...others } = typeof wanted === "object" ? wanted : { comm: wanted };
    const other = Object.values(others).find((value) => value !== undefined);
    if (comm === undefined || other !== undefined) {
      throw new NoSuchProcessError(
        other ?? "",
        "This kernel keeps no command lines, cgroups or containers: use a name",
      );
    }
    const all = await this.processes(options);
    const found = all.filter((process) => process.pid === comm || process.comm === comm);
    if (found.length > 1) {
      throw new AmbiguousProcessError(String(comm), found.map(({ pid }) => pid));
    }
    if (found.length === 1) return found[0]!;
    const listed = all.slice(0, MAX_LISTED).map(({ pid, comm }) => `${pid} ${escapeText(comm)}`);
    const which = typeof comm === "number" ? comm : `named "${escapeText(comm)}"`;
    throw new NoSuchProcessError(
      comm,
      `The guest has no process ${which}; it has ${listed.join(", ") || "none"}`,
    );
  }

  /**
   * How the guest pages with a process's table.
   *
   * @throws {NoSuchProcessError} if it has none
   */
  async contextOf({ pid, comm, root }: ElfProcess): Promise<Regime> {
    if (root === null) {
      throw new NoSuchProcessError(pid, `Process ${pid} ${escapeText(comm)} has no page table yet`);
    }
    return withRoot(await this.#parts.context(), root);
  }

  /** A process with its table; see {@linkcode ElfKernel.process}. */
  async tableOf(
    wanted: WantedProcess,
    options: ReadOptions = {},
  ): Promise<{ readonly pid: number; readonly comm: string; readonly context: Regime }> {
    const process = await this.process(wanted, options);
    return { pid: process.pid, comm: process.comm, context: await this.contextOf(process) };
  }

  /** Where a virtual address of the kernel is in memory: it is linked to where it is loaded. */
  physicalOf(virtual: bigint): bigint {
    const { segments, addressBytes } = this.#file;
    const segment =
      segments.find(({ virtual: from, lengthBytes }) =>
        virtual >= from && virtual < from + lengthBytes
      ) ?? segments[0];
    if (segment === undefined) return virtual;
    return BigInt.asUintN(addressBytes * 8, virtual - segment.virtual + segment.physical);
  }

  async #read(options: ReadOptions): Promise<ElfProcess[]> {
    const { address, count, structBytes, members } = this.#table;
    const lengthBytes = count * structBytes;
    const bytes = await this.#parts.memory.read(this.physicalOf(address), lengthBytes, options);
    const found: ElfProcess[] = [];
    for (let i = 0; i < count; i++) {
      const one = bytes.subarray(i * structBytes, (i + 1) * structBytes);
      const state = numberIn(one, members.state);
      // The first state is that of a free place, in all of these kernels.
      if (state === 0n) continue;
      const table = numberIn(one, members.table);
      found.push({
        pid: Number(BigInt.asIntN(32, numberIn(one, members.pid))),
        comm: members.name ? textIn(one, members.name) : "",
        state: members.state.values?.get(state) ?? String(state),
        sizeBytes: members.size ? numberIn(one, members.size) : null,
        root: table === 0n ? null : this.physicalOf(table),
        address: address + BigInt(i * structBytes),
      });
    }
    return found;
  }

  async #checkHeld(): Promise<void> {
    const segment = this.#file.segments.find(({ bytes }) => bytes.length > 0);
    if (segment === undefined) return;
    const wanted = segment.bytes.subarray(0, COMPARED_BYTES);
    const held = await this.#parts.memory.read(segment.physical, wanted.length);
    if (held.every((byte, i) => byte === wanted[i])) return;
    throw new WrongKernelError(
      `The guest does not run this kernel: its memory at ${
        formatAddress(segment.physical)
      } differs ` +
        "from the file; give the file that QEMU was started with",
    );
  }

  #sorted(): readonly ElfSymbol[] {
    return this.#symbols ??= this.#file.symbols()
      .toSorted((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
  }
}

function numberIn(bytes: Uint8Array, { offset, sizeBytes }: { offset: number; sizeBytes: number }) {
  let value = 0n;
  for (let i = sizeBytes - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[offset + i]!);
  return value;
}

const decoder = new TextDecoder();

function textIn(bytes: Uint8Array, { offset, sizeBytes }: { offset: number; sizeBytes: number }) {
  const text = bytes.subarray(offset, offset + sizeBytes);
  const end = text.indexOf(0);
  return decoder.decode(end < 0 ? text : text.subarray(0, end));
}
