import { MemoryReadError } from "../memory/physical_memory.ts";
import { PageFaultError } from "../translate/address_space.ts";
import { CapabilityError } from "./errors.ts";
import { cString, type Reader, readU64, viewOf } from "./reader.ts";
import type { StructOffsets } from "./struct_reader.ts";

/** What finding offsets without type data takes. */
export interface StructuralSource {
  /** Reads the running kernel's memory. */
  readonly reader: Reader;
  /** The address of `init_task`. */
  readonly initTask: bigint;
  /** The address of the kernel's own top page table (`swapper_pg_dir`). */
  readonly kernelTable: bigint;
}

/** Longer than any `task_struct` up to its name and the pointers behind it. */
const TASK_BYTES = 4096;
const MM_BYTES = 1024;
const COMM_BYTES = 16;
const MAX_TASKS = 4096;
const PF_KTHREAD = 0x20_0000;
const SIGCHLD = 17;
const LIST_BYTES = 16;

/** One task's bytes. */
interface Sample {
  readonly address: bigint;
  readonly view: DataView;
}

/**
 * Finds where members lie in a kernel without type data, by what must hold of them in any kernel: the
 * list of tasks closes, ids are unique, the kernel's threads have no memory, and so on. Structure
 * layout randomisation defeats it.
 *
 * @throws {CapabilityError} if something cannot be told
 */
export async function processOffsets(source: StructuralSource): Promise<StructOffsets> {
  const { reader, initTask } = source;
  const head = { address: initTask, view: viewOf(await reader.read(initTask, TASK_BYTES)) };
  const comm = found("comm", places(head, 8, (at) => text(head, at).startsWith("swapper")));
  const { tasks, samples } = await findTasks(reader, head, comm);
  const [first, kthreadd] = samples as [Sample, Sample];
  // Leaders' ids are a pair of equal numbers: 0 in the idle task, then 1, and never twice.
  const pid = found(
    "pid",
    places(head, 4, (at) => {
      const ids = samples.map((task) => task.view.getUint32(at, true));
      return at > tasks && at < comm && head.view.getUint32(at, true) === 0 &&
        ids[0] === 1 && ids[1] === 2 && new Set(ids).size === ids.length &&
        samples.every((task, i) => task.view.getUint32(at + 4, true) === ids[i]);
    }),
  );
  // mm and active_mm: equal in processes; the kernel's threads have the second only.
  const mm = found(
    "mm",
    places(head, 8, (at) =>
      at >= tasks + LIST_BYTES && at < comm && u64(first, at) >> 63n === 1n &&
      u64(kthreadd, at) === 0n &&
      samples.every((task) => u64(task, at) === 0n || u64(task, at) === u64(task, at + 8))),
  );
  const withMemory = samples.filter((task) => u64(task, mm) !== 0n);
  const flags = found(
    "flags",
    places(
      head,
      4,
      (at) =>
        at < tasks &&
        samples.every((task) =>
          Boolean(task.view.getUint32(at, true) & PF_KTHREAD) === (u64(task, mm) === 0n)
        ),
    ),
  );
  // state, stack, usage, flags (include/linux/sched.h, 4.14 to 5.13).
  const state = flags - 20;
  const states = samples.map((task) => u64(task, state));
  if (state < 0 || states.some((value) => value >= 0x1_0000n)) throw missing("state");
  // exit_state, exit_code, exit_signal: nearly nobody has exited, and nearly all signal their end; the
  // first two tasks have nobody to signal.
  const exitSignal = found(
    "exit_state",
    places(head, 4, (at) => {
      const signals = samples.map((task) => task.view.getUint32(at, true));
      return at > mm + 8 && at < pid && signals.every((value) =>
        value === 0 || value === SIGCHLD
      ) &&
        share(signals, (value) => value === SIGCHLD) > 0.5 &&
        share(samples, (task) => u64(task, at - 8) === 0n) > 0.5;
    }),
  );
  const threads = await findThreads(reader, withMemory, pid, comm);
  return new Map([
    ["task_struct.state", state],
    ["task_struct.flags", flags],
    ["task_struct.tasks", tasks],
    ["task_struct.mm", mm],
    ["task_struct.exit_state", exitSignal - 8],
    ["task_struct.pid", pid],
    ["task_struct.tgid", pid + 4],
    ["task_struct.comm", comm],
    ["task_struct.thread_node", threads.node],
    ["task_struct.signal", threads.signal],
    ["signal_struct.thread_head", threads.head],
    ["mm_struct.pgd", await findPgd(source, u64(withMemory[0]!, mm))],
  ]);
}

/** The share of elements for which something holds, 0 to 1. */
function share<T>(elements: readonly T[], holds: (element: T) => boolean): number {
  return elements.filter(holds).length / elements.length;
}

/** The list of all tasks: it closes, its back pointers agree, and each task has a name. */
async function findTasks(
  reader: Reader,
  head: Sample,
  comm: number,
): Promise<{ tasks: number; samples: Sample[] }> {
  let best: { tasks: number; samples: Sample[] } | null = null;
  for (let at = 0; at < comm; at += 8) {
    if (u64(head, at) >> 63n === 0n || u64(head, at + 8) >> 63n === 0n) continue;
    const samples = await followList(reader, head, at, comm).catch(passOver);
    if (samples && samples.length >= 2 && samples.length > (best?.samples.length ?? 0)) {
      best = { tasks: at, samples };
    }
  }
  if (!best) throw missing("tasks");
  return best;
}

/** All tasks on the list at that offset; null if it is not a list of tasks. */
async function followList(
  reader: Reader,
  head: Sample,
  at: number,
  comm: number,
): Promise<Sample[] | null> {
  const samples: Sample[] = [];
  let previous = head;
  for (let next = u64(head, at) - BigInt(at); next !== head.address;) {
    if (next >> 63n === 0n || next % 8n !== 0n || samples.length > MAX_TASKS) return null;
    const back = await readU64(reader, next + BigInt(at) + 8n);
    if (back !== previous.address + BigInt(at)) return null;
    const task = { address: next, view: viewOf(await reader.read(next, TASK_BYTES)) };
    if (!/^[\x20-\x7e]{1,15}$/.test(text(task, comm))) return null;
    samples.push(task);
    previous = task;
    next = u64(task, at) - BigInt(at);
  }
  return samples;
}

/**
 * `thread_node` of a process with one thread: both pointers lead to a list head in its `signal_struct`,
 * which leads back; a pointer to that structure follows the name.
 */
async function findThreads(
  reader: Reader,
  samples: readonly Sample[],
  pid: number,
  comm: number,
): Promise<{ node: number; signal: number; head: number }> {
  for (const task of samples) {
    for (let at = pid + 8; at < comm; at += 8) {
      const head = u64(task, at);
      const own = task.address + BigInt(at);
      if (head !== u64(task, at + 8) || head >> 63n === 0n || head === own) continue;
      const back = await readU64(reader, head).catch(passOver);
      if (back !== own) continue;
      for (let place = comm + COMM_BYTES; place + 8 <= TASK_BYTES; place += 8) {
        const distance = head - u64(task, place);
        if (distance > 0n && distance <= 64n) {
          return { node: at, signal: place, head: Number(distance) };
        }
      }
    }
  }
  throw missing("thread_node");
}

/** The page table of a process has the kernel's entries in its upper half. */
async function findPgd({ reader, kernelTable }: StructuralSource, mm: bigint): Promise<number> {
  const kernelHalf = await upperHalf(reader, kernelTable);
  const memory = { address: mm, view: viewOf(await reader.read(mm, MM_BYTES)) };
  for (const at of places(memory, 8, () => true)) {
    const pointer = u64(memory, at);
    if (pointer >> 63n === 0n || pointer % 4096n !== 0n) continue;
    const half = await upperHalf(reader, pointer).catch(passOver);
    if (!half) continue;
    const present = half.filter((entry) => entry & 1n);
    const shared = half.filter((entry, i) => entry & 1n && entry === kernelHalf[i]);
    if (present.length > 0 && shared.length * 4 >= present.length * 3) return at;
  }
  throw missing("pgd");
}

async function upperHalf(reader: Reader, table: bigint): Promise<bigint[]> {
  const view = viewOf(await reader.read(table + 2048n, 2048));
  // Accessed and dirty bits come and go.
  return Array.from({ length: 256 }, (_, i) => view.getBigUint64(i * 8, true) & ~0x60n);
}

/** The offsets in steps at which a condition holds, with room for 16 bytes after each. */
function places(
  { view }: Sample,
  step: number,
  holds: (at: number) => boolean,
): number[] {
  const result: number[] = [];
  for (let at = 0; at + 16 <= view.byteLength; at += step) if (holds(at)) result.push(at);
  return result;
}

function found(member: string, candidates: readonly number[]): number {
  if (candidates[0] === undefined) throw missing(member);
  return candidates[0];
}

function u64({ view }: Sample, at: number): bigint {
  return view.getBigUint64(at, true);
}

function text({ view }: Sample, at: number): string {
  return cString(new Uint8Array(view.buffer, view.byteOffset + at, COMM_BYTES));
}

/** What lies behind something that is not a pointer after all. */
function passOver(error: unknown): null {
  if (error instanceof PageFaultError || error instanceof MemoryReadError) return null;
  throw error;
}

function missing(member: string): CapabilityError {
  return new CapabilityError(
    "processes",
    `This kernel has no type data (CONFIG_DEBUG_INFO_BTF), and where its tasks keep "${member}" ` +
      "cannot be inferred from their contents",
  );
}
