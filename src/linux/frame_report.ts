import type { PhysicalMemory, ReadOptions } from "../memory/physical_memory.ts";
import type { Regime } from "../translate/regime.ts";
import { type FrameKernel, type FrameLayout, readFrameLayout } from "./frame_layout.ts";
import { findFrameOwners, type FrameOwners } from "./frame_owners.ts";
import { type FrameState, readFrame } from "./frames.ts";
import { type MappedFileKernel, readMappedFile } from "./mapped_file.ts";
import type { LinuxProcess } from "./processes.ts";

/** What is known of a frame. */
export interface FrameReport extends FrameOwners {
  /** What the kernel keeps of it. */
  readonly state: FrameState;
  /** The file that it belongs to, if it is one's; null if that has no name any more. */
  readonly file?: string | null;
}

/** What a frame is looked up in. */
export interface FrameSource {
  /** The kernel. */
  readonly kernel: FrameKernel & MappedFileKernel;
  /** The guest's physical memory. */
  readonly memory: PhysicalMemory;
  /** The processes that have memory, and their tables. */
  readonly processes: readonly { readonly process: LinuxProcess; readonly regime: Regime }[];
}

/** How each kernel keeps its frames: the same for as long as it runs. */
const layouts = new WeakMap<object, Promise<FrameLayout>>();

/** Reads what the kernel keeps of the frame that an address lies in. */
export async function readFrameState(
  kernel: FrameSource["kernel"],
  address: bigint,
  options: ReadOptions,
): Promise<FrameState> {
  let layout = layouts.get(kernel);
  if (!layout) {
    layouts.set(kernel, layout = readFrameLayout(kernel));
    layout.catch(() => layouts.delete(kernel));
  }
  return await readFrame(kernel.live, await layout, address, options);
}

/** Reads all that is known of the frame that an address lies in. */
export async function readFrameReport(
  { kernel, memory, processes }: FrameSource,
  address: bigint,
  options: ReadOptions,
): Promise<FrameReport> {
  const state = await readFrameState(kernel, address, options);
  const file = state.use === "file" && state.mapping !== 0n
    ? { file: await readMappedFile(kernel, state.mapping, options) }
    : {};
  const owners = await findFrameOwners(memory, processes, state.frame, options);
  return { state, ...file, ...owners };
}
