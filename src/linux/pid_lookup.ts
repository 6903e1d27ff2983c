import type { ReadOptions } from "../memory/physical_memory.ts";
import { Changed } from "./changed.ts";
import { type Reader, viewOf } from "./reader.ts";
import { type StructOffsets, StructReader } from "./struct_reader.ts";
import { XA_NODE } from "./xarray.ts";

/** Where a kernel keeps which task has which pid. */
export interface PidSource {
  /** Reads the running kernel's memory. */
  readonly reader: Reader;
  /** Where the members of what is read lie. */
  readonly offsets: StructOffsets;
  /** The address of `init_task`, the idle task. */
  readonly initTask: bigint;
}

/** Who has a pid: the `task_struct` of a process's first thread, or that of another thread. */
export interface PidOwner {
  readonly kind: "process" | "thread";
  readonly task: bigint;
}

/** The members without which a pid cannot be looked up. */
const NEEDED = [
  "task_struct.thread_pid",
  "task_struct.pid_links",
  "pid.tasks",
  "pid.numbers",
  "upid.nr",
  "upid.ns",
  "pid_namespace.idr",
  "idr.idr_rt",
  "xarray.xa_head",
] as const;

// 64 slots, unless the kernel is built for the smallest of machines, where a node's place in its parent
// is off.
const CHUNK_SHIFT = 6;
const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;
/** Pids have 22 bits. */
const MAX_SHIFT = 24;
/** Below this a marked pointer is not a node (xa_is_node). */
const FIRST_NODE = 4096n;

// enum pid_type (include/linux/pid.h).
const PIDTYPE_PID = 0;
const PIDTYPE_TGID = 1;

/** Can a pid be looked up with these offsets? */
export function canLookUpPids(offsets: StructOffsets): boolean {
  return NEEDED.every((member) => offsets.has(member));
}

/**
 * Looks a pid up as the kernel does: in the tree of the first pid namespace, by some reads, however many
 * processes there are. Null if nobody has it.
 *
 * @throws if the tree changes meanwhile: then `isChange` holds of the error
 */
export async function findPid(
  { reader, offsets, initTask }: PidSource,
  pid: number,
  options: ReadOptions = {},
): Promise<PidOwner | null> {
  const at = (member: typeof NEEDED[number]) => BigInt(offsets.get(member)!);
  const tasks = new StructReader("task_struct", { thread_pid: 8 }, offsets);
  const upids = new StructReader("upid", { nr: 4, ns: 8 }, offsets);
  const pids = new StructReader("pid", { tasks: 16 }, offsets);

  // The idle task is of the first namespace, and of no other.
  const idle = (await tasks.read(reader, initTask, options)).u64("thread_pid");
  const namespace = (await upids.read(reader, idle + at("pid.numbers"), options)).u64("ns");
  const tree = namespace + at("pid_namespace.idr") + at("idr.idr_rt");
  const found = await lookUp(reader, tree, at("xarray.xa_head"), pid, options);
  if (found === null) return null;

  const [number, lists] = await Promise.all([
    upids.read(reader, found + at("pid.numbers"), options),
    pids.read(reader, found, options),
  ]);
  if (number.u32("nr") !== pid || number.u64("ns") !== namespace) {
    throw new Changed("the pid belongs to another process");
  }
  const firsts = viewOf(lists.bytes("tasks"));
  const owner = (kind: PidOwner["kind"], type: number): PidOwner | null => {
    const first = firsts.getBigUint64(type * 8, true);
    // struct hlist_node has two pointers.
    const link = at("task_struct.pid_links") + BigInt(type * 16);
    return first === 0n ? null : { kind, task: first - link };
  };
  // What is still there for its group or session has no task.
  return owner("process", PIDTYPE_TGID) ?? owner("thread", PIDTYPE_PID);
}

/** What an xarray has at an index; null for nothing. */
async function lookUp(
  reader: Reader,
  tree: bigint,
  head: bigint,
  index: number,
  options: ReadOptions,
): Promise<bigint | null> {
  let entry = viewOf(await reader.read(tree + head, 8, options)).getBigUint64(0, true);
  let parent = 0n;
  for (let above = MAX_SHIFT + CHUNK_SHIFT;;) {
    if ((entry & 3n) !== 2n) {
      // A pointer at the head stands for index 0.
      return entry === 0n || parent === 0n && index > 0 ? null : entry;
    }
    // A mark that says: look again.
    if (entry < FIRST_NODE) throw new Changed("the tree of pids is changed");
    const node = entry - 2n;
    const slot = (shift: number) => index >> shift & CHUNK_MASK;
    const view = viewOf(await reader.read(node, XA_NODE.slots + (CHUNK_MASK + 1) * 8, options));
    const shift = view.getUint8(XA_NODE.shift);
    const isNode = view.getBigUint64(XA_NODE.array, true) === tree &&
      view.getBigUint64(XA_NODE.parent, true) === parent && shift < above &&
      (parent === 0n || view.getUint8(XA_NODE.offset) === slot(shift + CHUNK_SHIFT));
    if (!isNode) throw new Changed("the tree of pids is changed");
    if (parent === 0n && index >> shift + CHUNK_SHIFT !== 0) return null;
    entry = view.getBigUint64(XA_NODE.slots + slot(shift) * 8, true);
    [parent, above] = [node, shift];
    if (shift > 0) continue;
    if ((entry & 3n) === 2n) throw new Changed("the tree of pids is changed");
    return entry === 0n ? null : entry;
  }
}
