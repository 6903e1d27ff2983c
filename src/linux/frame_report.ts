import { type AddressLike, parseAddress } from "../core/address.ts";
import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import { type FrameLayout, readFrameLayout } from "./frame_layout.ts";
import { findFrameOwners, type FrameOwners } from "./frame_owners.ts";
import { type FrameState, readFrame } from "./frames.ts";
import type { LinuxGuest } from "./linux_guest.ts";
import { readMappedFile } from "./mapped_file.ts";

/** What is known of a frame. */
export interface FrameReport extends FrameOwners {
  /** What the kernel keeps of it. */
  readonly state: FrameState;
  /** The file that it belongs to, if it is one's; null if that has no name any more. */
  readonly file?: string | null;
}

/** What a frame is looked up in: a session has it. */
export interface FrameSource {
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The Linux that the guest runs. */
  linux(): Promise<LinuxGuest>;
}

/** How each kernel keeps its frames: the same for as long as it runs. */
const layouts = new WeakMap<LinuxGuest, Promise<FrameLayout>>();

/**
 * Reads what the kernel keeps of a frame: what it belongs to, its references, whether it is pinned for DMA.
 *
 * @throws {InvalidArgumentError} if the kernel keeps nothing of it: there is no RAM
 * @throws {CapabilityError} if the kernel has no type data (BTF)
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { readFrameState } from "@pagewalk/pagewalk/devices";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const pinned = async () => (await readFrameState(await guest.linux(), 0x2a0b000n)).pinned;
 * await assertRejects(pinned, LinuxNotFoundError); // it runs no kernel
 * ```
 */
export async function readFrameState(
  linux: LinuxGuest,
  address: AddressLike,
  options: ReadOptions = {},
): Promise<FrameState> {
  let layout = layouts.get(linux);
  if (!layout) {
    layouts.set(linux, layout = readFrameLayout(linux));
    layout.catch(() => layouts.delete(linux));
  }
  return await readFrame(linux, await layout, parseAddress(address), options);
}

/**
 * Reads all that is known of a frame: what the kernel keeps of it, the path of its file within its file
 * system, and who maps it or whose page table it is, by the tables of all processes.
 *
 * @throws {InvalidArgumentError} if the kernel keeps nothing of it: there is no RAM
 * @throws {CapabilityError} if the kernel has no type data (BTF)
 * @throws {InconsistentListError} if the list of processes changes faster than it can be read
 *
 * @example Usage
 * ```ts
 * import { connect, LinuxNotFoundError } from "@pagewalk/pagewalk";
 * import { readFrameReport } from "@pagewalk/pagewalk/devices";
 * import { assertRejects } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * await assertRejects(() => readFrameReport(guest, 0x2a0b000n), LinuxNotFoundError); // no kernel
 * ```
 */
export async function readFrameReport(
  guest: FrameSource,
  address: AddressLike,
  options: ReadOptions = {},
): Promise<FrameReport> {
  const linux = await guest.linux();
  const state = await readFrameState(linux, address, options);
  const file = state.use === "file" && state.mapping !== 0n
    ? { file: await readMappedFile(linux, state.mapping, options) }
    : {};
  const processes = (await linux.processes(options)).filter(({ root }) => root !== null)
    .map((process) => ({ process, regime: linux.contextOf(process) }));
  const owners = await findFrameOwners(guest.memory, processes, state.frame, options);
  // Before 6.7 Linux marks the tables of the last two levels alone.
  const isTable = owners.tables.length > 0 && state.use === "kernel";
  return { state: isTable ? { ...state, use: "table" } : state, ...file, ...owners };
}
