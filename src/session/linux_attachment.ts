import { escapeText } from "../core/escape.ts";
import type { ElfKernel, ElfKernelInit } from "../elf_kernel/elf_kernel.ts";
import type { TypeFile } from "../linux/btf/type_file.ts";
import type { ProcessSource } from "./table_finder.ts";
import { LinuxNotFoundError } from "../linux/errors.ts";
import { DirectoryKernelCache } from "../linux/kernel_cache.ts";
import type { LinuxGuestInit, LinuxProcesses } from "../linux/linux_processes.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import { type VcpuTable, type VcpuTables, whyNone } from "./vcpu_tables.ts";

/** What is known of a Linux guest: no more is loaded than a session needs. */
export interface LinuxKnowledge {
  /** Finds the guest's kernel. */
  attach(parts: LinuxGuestInit): Promise<LinuxProcesses>;
}

/** What finding a guest's Linux needs of a session. */
export interface LinuxAttachmentInit {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The tables of the guest's vCPUs. */
  readonly vcpus: VcpuTables;
  /** A folder to keep what was learned about kernels in; nothing is kept without one. */
  readonly kernelCacheDir?: string;
  /** What is known of it. */
  readonly knowledge: LinuxKnowledge;
  /** Files with the kernel's types, its own first; what it has in memory is used without. */
  readonly btf?: readonly string[];
  /** The ELF file of the guest's kernel, if one was named: then it is not Linux. */
  readonly kernel?: string;
  /** Called with what a user should know. */
  onNotice?(text: string): void;
}

/** What a kernel's file may have: xv6's has a quarter of a megabyte. */
const MAX_KERNEL_BYTES = 256 * 1024 * 1024;

/** Opens the ELF file of a guest's kernel, which is loaded only where one is named. */
export async function openElfKernel(path: string, parts: ElfKernelInit): Promise<ElfKernel> {
  const { ElfKernel } = await import("../elf_kernel/elf_kernel.ts");
  const { readRegularFile } = await import("../core/regular_file.ts");
  return await ElfKernel.open(await readRegularFile(path, MAX_KERNEL_BYTES), parts);
}

/** A Linux as what knows a guest's processes. */
export function processesOf(linux: LinuxProcesses): ProcessSource {
  return {
    async tableOf(wanted, options) {
      const process = await linux.process(wanted, options);
      return { pid: process.pid, comm: process.comm, context: linux.contextOf(process) };
    },
  };
}

/** Finds the Linux that a guest runs when it is first asked for, and again after a reboot. */
export class LinuxAttachment {
  readonly #parts: LinuxAttachmentInit;
  #linux: Promise<LinuxProcesses> | null = null;

  constructor(parts: LinuxAttachmentInit) {
    this.#parts = parts;
  }

  /** Returns the guest's Linux; see `Session.linux`. */
  async linux(): Promise<LinuxProcesses> {
    const before = this.#linux;
    if (before) {
      const known = await before.catch(() => null);
      if (known && await known.isCurrent()) return known;
      // Another caller may have attached meanwhile.
      if (this.#linux !== before) return await this.#linux!;
    }
    return await (this.#linux = this.#attach());
  }

  async #attach(): Promise<LinuxProcesses> {
    const { memory, vcpus, kernelCacheDir, knowledge, btf = [], kernel, onNotice } = this.#parts;
    if (kernel !== undefined) {
      const said = `This takes a Linux guest, and this guest's kernel is ${escapeText(kernel)}`;
      throw new LinuxNotFoundError(`${said} (its ELF file was named)`);
    }
    const { all, tables } = await vcpus.translating();
    if (tables.length === 0) {
      throw new LinuxNotFoundError(
        `No vCPU runs on the guest's page tables, which is needed to find a Linux kernel: ${
          whyNone(all)
        }`,
      );
    }
    // What was just read serves the first time.
    let unused: readonly VcpuTable[] | null = tables;
    const contexts = async () => {
      const now = unused ?? (await vcpus.translating()).tables;
      unused = null;
      return now.map(({ context }) => context);
    };
    const types = btf.length > 0 ? { types: await typeFiles(btf) } : {};
    const parts = { memory, contexts, ...types, ...onNotice && { onNotice } };
    if (kernelCacheDir === undefined) return await knowledge.attach(parts);
    return await knowledge.attach({ ...parts, cache: new DirectoryKernelCache(kernelCacheDir) });
  }
}

/** Reads the kernel's own types, and those of modules, which build on them. */
async function typeFiles([own, ...modules]: readonly string[]): Promise<TypeFile[]> {
  const { readTypeFile } = await import("../linux/btf/type_file.ts");
  const files = [await readTypeFile(own!)];
  for (const path of modules) files.push(await readTypeFile(path, files[0]!.types));
  return files;
}
