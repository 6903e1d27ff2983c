import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { AddressSpace } from "../translate/address_space.ts";
import type { Regime } from "../translate/regime.ts";
import { isChange } from "./changed.ts";
import { CapabilityError } from "./errors.ts";
import { readCString, type Reader, readU32, readU64, viewOf } from "./reader.ts";
import type { StructOffsets } from "./struct_reader.ts";

/** A process whose details are read. */
export interface DetailedProcess {
  /** The virtual address of its first thread's `task_struct`. */
  readonly task: bigint;
  /** The virtual address of its `mm_struct`; null for one without memory. */
  readonly mm: bigint | null;
}

/** Longer command lines are cut: those of a Java program reach tens of kilobytes. */
const MAX_ARGUMENT_BYTES = 4096;
/** MAX_PID_NS_LEVEL (include/linux/pid_namespace.h). */
const MAX_LEVELS = 32;
const MAX_NAME_BYTES = 256;
/** A path of cgroups has fewer parts. */
const MAX_PARTS = 256;

const decoder = new TextDecoder();

/** What people know a process by, besides its pid and its name. */
export class ProcessDetails {
  readonly #reader: Reader;
  readonly #offsets: StructOffsets;
  readonly #options: ReadOptions;

  constructor(reader: Reader, offsets: StructOffsets, options: ReadOptions = {}) {
    this.#reader = reader;
    this.#offsets = offsets;
    this.#options = options;
  }

  /**
   * The arguments that it was started with, as `/proc/PID/cmdline` has them: the process may have
   * changed them. Null if it has no memory, or that page cannot be read, as when it is swapped out.
   */
  async commandLine(
    { mm }: DetailedProcess,
    memory: PhysicalMemory,
    context: Regime | null,
  ): Promise<string[] | null> {
    if (mm === null || context === null) return null;
    const [start, end] = await Promise.all([
      this.#u64(mm, "mm_struct.arg_start"),
      this.#u64(mm, "mm_struct.arg_end"),
    ]);
    if (end <= start) return [];
    const length = Math.min(Number(end - start), MAX_ARGUMENT_BYTES);
    try {
      const bytes = await new AddressSpace(memory, context).read(start, length, this.#options);
      return decoder.decode(bytes).replace(/\0+$/, "").split("\0");
    } catch (error) {
      if (!isChange(error)) throw error;
      return null;
    }
  }

  /** Its cgroup's path, of the unified hierarchy, such as `/system.slice/ssh.service`. */
  async cgroup({ task }: DetailedProcess): Promise<string> {
    const set = await this.#u64(task, "task_struct.cgroups");
    const group = await this.#u64(set, "css_set.dfl_cgrp");
    const parts: string[] = [];
    let node = await this.#u64(group, "cgroup.kn");
    for (let i = 0; i < MAX_PARTS; i++) {
      const parent = await this.#u64(node, "kernfs_node.parent");
      // The root of the hierarchy has no name that counts.
      if (parent === 0n) break;
      const name = await this.#u64(node, "kernfs_node.name");
      parts.push(await readCString(this.#reader, name, MAX_NAME_BYTES, this.#options) ?? "…");
      node = parent;
    }
    return `/${parts.reverse().join("/")}`;
  }

  /** Its pid in each namespace that it is in, the first one's first, as `NSpid` of `/proc/PID/status`. */
  async namespacePids({ task }: DetailedProcess): Promise<number[]> {
    const pid = await this.#u64(task, "task_struct.thread_pid");
    // A process that has been reaped meanwhile has none.
    if (pid === 0n) return [];
    const level = await readU32(this.#reader, pid + this.#at("pid.level"), this.#options);
    const count = Math.min(level, MAX_LEVELS) + 1;
    const size = Number(this.#at("upid.sizeof"));
    const first = pid + this.#at("pid.numbers");
    const view = viewOf(await this.#reader.read(first, count * size, this.#options));
    const at = Number(this.#at("upid.nr"));
    return Array.from({ length: count }, (_, i) => view.getInt32(i * size + at, true));
  }

  async #u64(address: bigint, member: string): Promise<bigint> {
    return await readU64(this.#reader, address + this.#at(member), this.#options);
  }

  #at(member: string): bigint {
    const offset = this.#offsets.get(member);
    if (offset === undefined) {
      throw new CapabilityError(
        "types",
        `The offset of ${member} in this kernel is not known: it has no type data (CONFIG_DEBUG_INFO_BTF), ` +
          "or was built without this feature",
      );
    }
    return BigInt(offset);
  }
}
