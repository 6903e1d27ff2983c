import type { AuditedSpace } from "../audit/audit_many.ts";
import type { ProcessName } from "../audit/finding.ts";
import { withPhysicalBits } from "../translate/regime.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { LinuxProcess } from "../linux/processes.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { ownKernelParts, userPart } from "../translate/own_parts.ts";
import { type Regime, withRoot, withUserView } from "../translate/regime.ts";

/** What all processes are found with: a session. */
export interface AllProcessesSource {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The Linux that the guest runs. */
  linux(): Promise<LinuxGuest>;
  /** Learns MAXPHYADDR without asking the guest's kernel; null if nobody tells it. */
  machinePhysicalBits(): Promise<number | null>;
}

/** A process's tables, and which other processes run on the same. */
export interface ProcessSpace extends AuditedSpace {
  /** Those that share its memory (`CLONE_VM`, `vfork`), besides the one that is named. */
  readonly sharedBy: readonly ProcessName[];
}

/** The address spaces of a guest: the kernel's own, and what each process has besides. */
export class AllProcesses {
  /** The kernel's own tables, which every process shares. */
  readonly kernel: Regime;
  /** How many address spaces of processes there are. */
  readonly count: number;
  /** The threads of the kernel, and processes that have exited: they have no tables of their own. */
  readonly withoutMemory: number;
  readonly #memory: PhysicalMemory;
  readonly #linux: LinuxGuest;
  readonly #groups: readonly (readonly [LinuxProcess, ...LinuxProcess[]])[];
  readonly #options: ReadOptions;

  private constructor(parts: {
    memory: PhysicalMemory;
    linux: LinuxGuest;
    kernel: Regime;
    listed: readonly LinuxProcess[];
    options: ReadOptions;
  }) {
    const byRoot = new Map<bigint, [LinuxProcess, ...LinuxProcess[]]>();
    for (const process of parts.listed) {
      if (process.root === null) continue;
      const others = byRoot.get(process.root);
      if (others) others.push(process);
      else byRoot.set(process.root, [process]);
    }
    this.kernel = parts.kernel;
    this.#memory = parts.memory;
    this.#linux = parts.linux;
    this.#options = parts.options;
    this.#groups = [...byRoot.values()];
    this.count = this.#groups.length;
    this.withoutMemory = parts.listed.filter(({ root }) => root === null).length;
  }

  /** Lists the processes. */
  static async of(source: AllProcessesSource, options: ReadOptions = {}): Promise<AllProcesses> {
    const linux = await source.linux();
    const { memory } = source;
    const { context } = linux;
    const known = context.assuredFrameBits === undefined
      ? context
      : withPhysicalBits(context, await source.machinePhysicalBits());
    const listed = await linux.processes(options);
    // The kernel's own root tells no pair by itself, as it maps nothing of user code.
    const hasViews = listed.some(({ userRoot }) => userRoot !== null);
    const userView = hasViews ? known.rules.views?.partnerOf(known.root) : undefined;
    const kernel = userView === undefined ? known : { ...known, userView };
    return new AllProcesses({ memory, linux, kernel, listed, options });
  }

  /** Their address spaces, one after the other as they are asked for. */
  async *spaces(): AsyncGenerator<ProcessSpace, void> {
    for (const [process, ...others] of this.#groups) {
      const { root, userRoot } = process;
      const views = root === null || userRoot === null ? null : { kernelRoot: root, userRoot };
      const regime = withUserView(withRoot(this.kernel, root!), views);
      yield {
        process: nameOf(process),
        sharedBy: others.map(nameOf),
        regime,
        parts: [userPart(regime), ...await this.#ownParts(regime, this.kernel.root)],
        userViewParts: userRoot === null
          ? []
          : await this.#ownParts(withRoot(regime, userRoot), this.kernel.userView),
        stillRuns: () => this.#linux.stillRuns(process, this.#options),
      };
    }
  }

  async #ownParts(regime: Regime, kernelRoot: bigint | undefined): Promise<AddressRange[]> {
    if (kernelRoot === undefined) return [{ start: regime.rules.kernel.start }];
    return await ownKernelParts(this.#memory, regime, kernelRoot, this.#options);
  }
}

function nameOf({ pid, comm }: LinuxProcess): ProcessName {
  return { pid, comm };
}
